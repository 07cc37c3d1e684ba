"""Transitions of alerts: what changed, where, from which value: (raw transition, names of its area) → record.

>>> raw = RawTransition("gas.leak_lel_max", 0, 60_000, 1, "raised", 2, 0, 12.3, 10.0, 60_000, 70_000)
>>> one = publish(raw, "N49E0B26714", "cell", "N49E0B26714", "5f3c")
>>> one.alert_id == alert_id("gas.leak_lel_max", "N49E0B26714", 60_000), one.cell, one.value
(True, 'N49E0B26714', 12.3)
"""

import math
from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import msgspec

Change = Literal["raised", "escalated", "eased", "cleared", "flapping", "retracted"]
"""What a transition does to its alert."""


class RawTransition(msgspec.Struct, frozen=True, gc=False):
    """A transition as the levels know it: areas are numbers, times epoch ms, a missing ``value`` NaN.

    ``start`` is the window end of the alert's first raise; ``threshold`` the bound that was reached, or
    passed on the way back; ``decided_ts`` the event time at which the engine could know.
    """

    indicator: str
    row: int
    start: int
    seq: int
    transition: Change
    level: int
    previous_level: int
    value: float
    threshold: float
    window_end: int
    decided_ts: int
    early: bool = False
    revision: int = 0


class Transition(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of ``alerts.jsonl``: the fields of contract C-2.6 in their order.

    ``cell`` is null unless ``kind`` is ``cell``; numbers have 12 significant digits; ``value`` is null
    where a correction took all data away. ``owner`` is there for the fault of a sensor alone whose department
    the registry names.
    """

    alert_id: str
    seq: int
    transition: Change
    indicator: str
    area: str
    kind: str
    cell: str | None
    level: int
    previous_level: int
    value: float | None
    threshold: float | None
    window_end: int
    decided_ts: int
    early: bool
    revision: int
    catalogue_hash: str
    owner: str = ""


def alert_id(indicator: str, area: str, start_ms: int) -> str:
    """16 hex digits of blake2b (8 bytes) over ``indicator|area|window end of the first raise in ms``.

    >>> alert_id("gas.leak_lel_max", "420106", 1_700_000_000_000)
    '996806b0c75c8376'
    """
    return blake2b(f"{indicator}|{area}|{start_ms}".encode(), digest_size=8).hexdigest()


def publish(
    raw: RawTransition,
    area_text: str,
    kind: str,
    cell_text: str | None,
    catalogue_hash: str,
) -> Transition:
    """The record of a raw transition in the area ``area_text``; ``cell_text`` is for kind ``cell`` only."""
    return Transition(
        alert_id=alert_id(raw.indicator, area_text, raw.start),
        seq=raw.seq,
        transition=raw.transition,
        indicator=raw.indicator,
        area=area_text,
        kind=kind,
        cell=cell_text if kind == "cell" else None,
        level=raw.level,
        previous_level=raw.previous_level,
        value=_twelve_digits(raw.value),
        threshold=_twelve_digits(raw.threshold),
        window_end=raw.window_end,
        decided_ts=raw.decided_ts,
        early=raw.early,
        revision=raw.revision,
        catalogue_hash=catalogue_hash,
    )


def json_line(transition: Transition) -> bytes:
    r"""One JSON object in UTF-8 with a line end; the same transition gives the same bytes.

    >>> raw = RawTransition("air.aqi", 0, 0, 2, "cleared", 0, 1, 1 / 3, 0.5, 60_000, 70_000)
    >>> json_line(publish(raw, "city", "city", None, "5f3c"))[-58:]
    b'70000,"early":false,"revision":0,"catalogue_hash":"5f3c"}\n'
    """
    return msgspec.json.encode(transition) + b"\n"


@lru_cache(4096)
def _twelve_digits(number: float) -> float | None:
    # Adding zero turns -0.0, which a cache cannot tell from 0.0, into 0.0.
    return float(f"{number:.12g}") + 0.0 if math.isfinite(number) else None
