"""One ``[[indicator]]`` of a catalogue file, as it is written.

>>> decode({"id": "a.b", "windw": "1h"}).splitlines()[0]
Traceback (most recent call last):
ValueError: Object contains unknown field `windw`; did you mean window?
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

Theme = Literal["urban_governance", "emergency", "livelihood", "industry"]
Direction = Literal["high_bad", "low_bad", "both"]
Anomaly = Literal["none", "seasonal", "robust_z", "changepoint", "multivariate"]
Lowest = Literal["cell", "community", "street", "district", "city"]
Merge = Literal["recompute", "max"]
Level = Literal["blue", "yellow", "orange", "red"]

LEVELS: tuple[Level, ...] = ("blue", "yellow", "orange", "red")
"""Levels 1 to 4."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$", max_length=100)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Threshold(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A level: raised at ``raise``, cleared beyond ``clear``, once it has held ``for`` that long.

    >>> msgspec.convert({"raise": 4, "for": "10m"}, Threshold).raise_
    4.0
    """

    raise_: float = msgspec.field(name="raise")
    clear: float | None = None
    for_: str | None = msgspec.field(name="for", default=None)


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of an indicator; docs/formulas.md explains them."""

    id: Id
    name_zh: Text
    name_en: Text
    theme: Theme
    domain: Text
    unit: Text
    window: Text
    hop: Text
    formula: Text
    inputs: tuple[str, ...] | None = None
    direction: Direction = "high_bad"
    rollup: str = ""
    lowest: Lowest = "cell"
    merge: Merge = "recompute"
    alarm_needs: str | None = None
    level_needs: dict[Level, str] = {}
    levels: dict[Level, Threshold] = {}
    min_coverage: Share | None = None
    early: bool = False
    anomaly: Anomaly = "none"
    anomaly_least: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    department: str = ""
    tier: Literal[1, 2] = 1
    threshold_source: str = ""
    provenance: dict[Level, str] = {}
    meaning: str = ""
    note: str = ""


def decode(table: Mapping[str, Any]) -> Entry:
    """An entry from a decoded TOML table.

    Raises:
        ValueError: a key is unknown, missing or has a wrong value; names the key.
    """
    for field in table.keys() - set(Entry.__struct_fields__):
        near = difflib.get_close_matches(field, Entry.__struct_fields__, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(Entry.__struct_fields__)}"
        raise ValueError(f"Object contains unknown field `{field}`; {hint}")
    try:
        return msgspec.convert(dict(table), Entry)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("$.", "")) from None
