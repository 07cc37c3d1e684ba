"""The names of everything the engine keeps in Redis (C-2.3).

>>> Keys().cell("N50H0513600"), Keys("wuhan:").stream("420106")
('yw:cell:N50H0513600', 'wuhan:dispatch:420106')
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "yw:"


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names below a prefix."""

    prefix: str = PREFIX

    def cell(self, code: str) -> str:
        """Hash: indicator → value of a cell."""
        return f"{self.prefix}cell:{code}"

    def area(self, area: str) -> str:
        """Hash: indicator → value of an area above the cell."""
        return f"{self.prefix}area:{area}"

    def rank(self, indicator: str) -> str:
        """Sorted set: cells by value."""
        return f"{self.prefix}rank:{indicator}"

    @property
    def areas(self) -> str:
        """Hash: area → names, kind, parent."""
        return f"{self.prefix}areas"

    @property
    def alerts(self) -> str:
        """Stream of alert transitions."""
        return f"{self.prefix}alerts"

    def alerts_seen(self, day: int) -> str:
        """Set: the transitions of one day (epoch days) that are in the stream, or were."""
        return f"{self.prefix}alerts:seen:{day}"

    @property
    def anomalies(self) -> str:
        """Stream of what becomes of anomalies."""
        return f"{self.prefix}anomalies"

    def anomalies_seen(self, day: int) -> str:
        """Set: what of one day (epoch days) is in that stream, or was."""
        return f"{self.prefix}anomalies:seen:{day}"

    @property
    def quarantine(self) -> str:
        """Hash: fault → the faulty sensor, for those that stand."""
        return f"{self.prefix}quarantine"

    @property
    def live(self) -> str:
        """Channel of changes as they happen."""
        return f"{self.prefix}live"

    @property
    def meta(self) -> str:
        """Hash: which engine, which catalogue, how far."""
        return f"{self.prefix}meta"

    def stream(self, district: str) -> str:
        """Stream: the dispatch queue of a district."""
        return f"{self.prefix}dispatch:{district}"

    def waiting(self, district: str, group: str) -> str:
        """Sorted set: entries that a group has not taken yet, the most urgent lowest."""
        return f"{self.prefix}waiting:{district}:{group}"

    @property
    def queues(self) -> str:
        """Set: the districts that have a queue."""
        return f"{self.prefix}queues"

    @property
    def dead(self) -> str:
        """Stream: entries that were taken too often without success."""
        return f"{self.prefix}dead"

    def incident(self, incident: str) -> str:
        """Hash: an incident."""
        return f"{self.prefix}incident:{incident}"

    @property
    def open(self) -> str:
        """Sorted set: open incidents by priority."""
        return f"{self.prefix}incidents:open"

    @property
    def feedback(self) -> str:
        """Stream: governance feedback."""
        return f"{self.prefix}feedback"
