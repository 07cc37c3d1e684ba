"""By when an incident has to be dealt with: a table of times by level."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from alerts.rule_file import Rule, Subject, first, read_rules
from indicators.durations import milliseconds

SHIPPED = Path(__file__).parent / "data" / "sla.toml"
"""The table that counts where none is given."""


class ServiceLevel(Rule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Times from the decision to the end of the work, by level."""

    blue: str
    yellow: str
    orange: str
    red: str

    def __post_init__(self) -> None:
        """Refuse what is no duration, and a higher level with more time than a lower one."""
        times = self.times
        if any(more > less for less, more in pairwise(times)):
            raise ValueError(f"a higher level has more time than a lower one: {self}; order the times")

    @property
    def times(self) -> tuple[int, int, int, int]:
        """Milliseconds for the levels 1 to 4."""
        blue, yellow, orange, red = map(milliseconds, (self.blue, self.yellow, self.orange, self.red))
        return blue, yellow, orange, red


@dataclass(frozen=True, slots=True)
class ServiceLevels:
    """The service levels in order; the last one must fit everything.

    >>> subject = Subject("emergency", "gas", "gas.leak_lel_max", "420106", "cell")
    >>> ServiceLevels.load().times(subject)[3] // 60_000
    30
    """

    levels: tuple[ServiceLevel, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The service levels of a file, or those shipped.

        Raises:
            ValueError: one cannot be used, or the last one does not fit everything.
            OSError: the file cannot be read.
        """
        found = read_rules(path or SHIPPED, "sla", ServiceLevel)
        last = found[-1] if found else None
        if last is None or any((last.theme, last.domain, last.indicator, last.district, last.kind)):
            raise ValueError(
                f"{path or SHIPPED}: the last [[sla]] must fit everything; end with one that has only times"
            )
        return cls(found)

    def times(self, subject: Subject) -> tuple[int, int, int, int]:
        """Milliseconds that work on the levels 1 to 4 may take."""
        return (first(self.levels, subject) or self.levels[-1]).times
