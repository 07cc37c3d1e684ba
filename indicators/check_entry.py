"""Every fault of one ``[[indicator]]`` table: (table) → faults with the path of keys to each.

What is checked is what :func:`indicators.indicator.build` refuses, and beyond that: a window that is no
multiple of its hop, and a unit that is not the metric's.

>>> faults = check_entry({"id": "a.b", "windw": "1h", "theme": "livelyhood"}, Metrics.load())
>>> [fault.message for fault in faults if fault.path in {("windw",), ("theme",)}]
['is no key of an indicator; did you mean window?', "found 'livelyhood'; did you mean livelihood?"]
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import msgspec

from indicators.arguments import closest
from indicators.check_formula import Checked, check_flag, check_formula
from indicators.check_units import Units, plain
from indicators.durations import DAY, milliseconds
from indicators.entry import LEVELS, Entry, Threshold, decode
from indicators.indicator import build
from indicators.metrics import Metrics
from indicators.syntax import FormulaError
from indicators.toml_places import Path

_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Entry)}
_THRESHOLD = {field.encode_name: field for field in msgspec.structs.fields(Threshold)}
_TEXTS = ("formula", "alarm_needs")


@dataclass(frozen=True, slots=True)
class EntryFault:
    """A fault of an entry: the keys that lead to it; ``at`` (line, column) inside the text of that value.

    ``on_key`` says that the key is at fault, not its value.
    """

    path: Path
    message: str
    at: tuple[int, int] | None = None
    on_key: bool = False


def check_entry(table: Mapping[str, Any], metrics: Metrics) -> tuple[EntryFault, ...]:
    """All faults of a table, none if an indicator can be built of it.

    Formulas are checked even where other keys are wrong.
    """
    shape = tuple(_shape(table))
    right = _right(table, {fault.path for fault in shape})
    found = (*shape, *_times(right), *_ladder(right, table), *_formulas(right, metrics))
    return found or tuple(_built(table, metrics))


def _right(table: Mapping[str, Any], wrong: set[Path]) -> dict[str, Any]:
    """The keys of a table, and the levels, that are of the right sort."""
    found = {key: value for key, value in table.items() if key in _FIELDS and (key,) not in wrong}
    if "levels" in found:
        bad = {path[1] for path in wrong if path[0] == "levels"}
        found["levels"] = {level: t for level, t in found["levels"].items() if level not in bad}
    return found


def _built(table: Mapping[str, Any], metrics: Metrics) -> Iterator[EntryFault]:
    """What only building the indicator tells; nothing is let through that it refuses."""
    try:
        build(decode(table), metrics)
    except ValueError as error:
        key, _, message = str(error).partition(": ")
        known = message and key in _FIELDS
        yield EntryFault((key,) if known else (), message if known else str(error))


# -- keys and values -------------------------------------------------------------------------------------


def _shape(table: Mapping[str, Any]) -> Iterator[EntryFault]:
    yield from _unknown((), table, _FIELDS)
    for name, field in _FIELDS.items():
        if name not in table:
            if field.required:
                yield EntryFault((name,), "is missing; an indicator needs it", on_key=True)
        elif name == "levels":
            yield from _levels(table[name])
        else:
            yield from _value((name,), table[name], field.type)


def _unknown(path: Path, table: Mapping[str, Any], known: Iterable[str]) -> Iterator[EntryFault]:
    names = list(known)
    for key in table:
        if key not in names:
            hint = closest(key, names) or f"; known are {', '.join(names)}"
            yield EntryFault((*path, key), f"is no key of an indicator{hint}", on_key=True)


def _levels(found: object) -> Iterator[EntryFault]:
    if not isinstance(found, dict):
        yield EntryFault(("levels",), f"found {found!r}; write {{ red = {{ raise = 10 }} }}")
        return
    yield from _unknown(("levels",), found, LEVELS)
    for level in LEVELS:
        if level not in found:
            continue
        path, threshold = ("levels", level), found[level]
        if not isinstance(threshold, dict):
            yield EntryFault(path, f"found {threshold!r}; write {{ raise = {threshold!r} }}")
            continue
        yield from _unknown(path, threshold, _THRESHOLD)
        if "raise" not in threshold:
            yield EntryFault(
                (*path, "raise"), "is missing; a level needs the value that raises it", on_key=True
            )
        for key, value in threshold.items():
            if key in _THRESHOLD:
                yield from _value((*path, key), value, _THRESHOLD[key].type)


def _value(path: Path, value: object, kind: Any) -> Iterator[EntryFault]:  # noqa: ANN401 - a type of any sort
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield EntryFault(path, _told(value, kind, str(error)))


def _told(value: object, kind: Any, message: str) -> str:  # noqa: ANN401 - a type of any sort
    choices = [str(choice) for choice in typing.get_args(kind)] if typing.get_origin(kind) is Literal else []
    if choices:
        hint = closest(str(value), choices) or f"; one of {', '.join(choices)}"
        return f"found {value!r}{hint}"
    # Where it was found is told by the path.
    return f"found {value!r}: {message.partition(' - at ')[0]}"


# -- times -----------------------------------------------------------------------------------------------


def _times(table: Mapping[str, Any]) -> Iterator[EntryFault]:
    spans: dict[str, int] = {}
    written: dict[Path, str] = {(key,): table[key] for key in ("window", "hop") if key in table}
    for level, threshold in table.get("levels", {}).items():
        if threshold.get("for") is not None:
            written["levels", level, "for"] = threshold["for"]
    for path, text in written.items():
        try:
            spans[str(path[0])] = milliseconds(text)
        except ValueError as error:
            yield EntryFault(path, str(error))
    hop, window = spans.get("hop"), spans.get("window")
    if hop and DAY % hop:
        yield EntryFault(
            ("hop",), f"{table['hop']} does not divide 24h; window ends are counted from midnight"
        )
    elif hop and window and window % hop:
        near = max(round(window / hop), 1) * hop
        yield EntryFault(
            ("window",), f"{table['window']} is no multiple of the hop {table['hop']}; try {near // 60_000}m"
        )


# -- levels ----------------------------------------------------------------------------------------------


def _ladder(table: Mapping[str, Any], written: Mapping[str, Any]) -> Iterator[EntryFault]:
    levels = table.get("levels", {})
    for level in table.get("level_needs", {}):
        if level not in written.get("levels", {}):
            path = ("level_needs", level)
            yield EntryFault(path, f"the level has no threshold; add levels.{level}", on_key=True)
    direction = table.get("direction", "high_bad")
    if direction == "both" and levels:
        yield EntryFault(
            ("direction",), "'both' has no worse side, so it goes without levels; leave levels out"
        )
        return
    raised: dict[str, float] = {level: float(levels[level]["raise"]) for level in LEVELS if level in levels}
    for level, value in raised.items():
        if not math.isfinite(value):
            yield EntryFault(("levels", level, "raise"), f"found {value}; a threshold is a finite number")
    yield from _order(raised, direction)
    yield from _cleared(levels, raised, direction)


def _order(raised: Mapping[str, float], direction: str) -> Iterator[EntryFault]:
    word = "fall" if direction == "low_bad" else "rise"
    for (mild, a), (severe, b) in pairwise(raised.items()):
        if (b > a) if direction == "low_bad" else (b < a):
            yield EntryFault(
                ("levels", severe, "raise"),
                f"found {b:g} after {mild} {a:g}; with {direction} thresholds {word} from blue to red",
            )


def _cleared(levels: Mapping[str, Any], raised: Mapping[str, float], direction: str) -> Iterator[EntryFault]:
    side = 1.0 if direction == "low_bad" else -1.0
    for level, value in raised.items():
        clear = levels[level].get("clear")
        if clear is not None and not (clear - value) * side >= 0:
            message = f"{clear:g} lies on the worse side of raise {value:g}"
            yield EntryFault(("levels", level, "clear"), message)


# -- formulas --------------------------------------------------------------------------------------------


def _formulas(table: Mapping[str, Any], metrics: Metrics) -> Iterator[EntryFault]:
    text = table.get("formula")
    if text is None:
        return
    window = _milliseconds(table.get("window"))
    checked = check_formula(text, metrics, window)
    yield from _at(("formula",), checked.faults)
    flags: dict[Path, str] = {("level_needs", level): t for level, t in table.get("level_needs", {}).items()}
    if table.get("alarm_needs") is not None:
        flags["alarm_needs",] = table["alarm_needs"]
    for path, flag in flags.items():
        yield from _at(path, check_flag(flag, checked, metrics, window).faults)
    if checked.formula is not None:
        yield from _inputs(table.get("inputs"), checked)
        yield from _unit(table.get("unit"), checked, metrics)


def _at(path: Path, faults: Iterable[FormulaError]) -> Iterator[EntryFault]:
    for fault in faults:
        yield EntryFault(path, fault.message, (fault.line, fault.column))


def _milliseconds(text: str | None) -> int | None:
    try:
        return None if text is None else milliseconds(text)
    except ValueError:
        return None


def _inputs(written: list[str] | None, checked: Checked) -> Iterator[EntryFault]:
    if written is None or checked.formula is None:
        return
    found = [*checked.formula.metrics, *checked.formula.events]
    for i, code in enumerate(written):
        if code not in found:
            yield EntryFault(("inputs", i), f"the formula does not read {code!r}{closest(code, found)}")
    missing = [code for code in found if code not in written]
    if missing:
        yield EntryFault(
            ("inputs",), f"the formula also reads {', '.join(missing)}; list them, or leave inputs out"
        )


def _unit(written: str | None, checked: Checked, metrics: Metrics) -> Iterator[EntryFault]:
    if checked.formula is None:
        return
    units = Units(metrics)
    found = units.of(checked.formula.value)
    for clash in dict.fromkeys(units.clashes):
        yield EntryFault(("formula",), f"{clash}; convert one of them")
    if written is not None and found is not None and plain(written) != found:
        hint = "; write 100 * ... for %" if (found, plain(written)) == ("1", "%") else ""
        yield EntryFault(
            ("unit",), f"found {written!r}, but the formula's value is in {found!r}{hint or '; write that'}"
        )
