"""An indicator, ready to be computed: its compiled formula, levels and settings.

>>> from indicators.catalogue import Catalogue
>>> jam = Catalogue.load()["traffic.congestion_index"]
>>> jam.raises, jam.clears, jam.window_ms
((4.0, 6.0, 8.0, 9.0), (3.9, 5.9, 7.9, 8.95), 900000)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from indicators.compiler import Formula, FormulaError, compile_flag, compile_formula, used
from indicators.durations import DAY, milliseconds
from indicators.entry import LEVELS, Entry, Level
from indicators.expression import Metric, Node, Reduce, walk
from indicators.metrics import Metrics

_CLEAR_BAND = 0.05
"""Share of the step between levels that a value must go back before a level is left."""

_MIN_COVERAGE = 0.5
"""Least share of known sensors behind shares, means and sums (R11)."""

_WANTS_COVERAGE = frozenset({"share", "ratio", "average", "total"})

Four = tuple[float, float, float, float]
"""One number per level, blue to red; NaN where the level is not used."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A catalogue entry with everything derived from it. Durations in ms.

    ``raises`` and ``clears`` hold a threshold per level, NaN where it is not used; ``for_ms`` how long a
    level must hold before it is raised. ``level_needs`` maps levels 1 to 4 to flags. ``entry`` is what was
    written.
    """

    id: str
    window_ms: int
    hop_ms: int
    formula: Formula
    alarm_needs: Node | None
    level_needs: Mapping[int, Node] = field(hash=False)
    raises: Four
    clears: Four
    for_ms: tuple[int, int, int, int]
    high_bad: bool
    min_coverage: float
    lowest: str
    merge: str
    early: bool
    entry: Entry = field(hash=False)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the formula.

        >>> from indicators.catalogue import Catalogue
        >>> Catalogue.load()["weather.rain_1h_max"].metrics
        ('rain_1m',)
        """
        return self.formula.metrics

    @property
    def events(self) -> tuple[str, ...]:
        """The event types of the formula.

        >>> from indicators.catalogue import Catalogue
        >>> Catalogue.load()["gas.leak_lel_max"].events
        ('ev_gas_leak',)
        """
        return self.formula.events

    @property
    def roots(self) -> tuple[Node, ...]:
        """Every tree that has to be evaluated: the value, the parts and the conditions.

        >>> from indicators.catalogue import Catalogue
        >>> len(Catalogue.load()["transit.bus_punctuality"].roots)
        3
        """
        flags = () if self.alarm_needs is None else (self.alarm_needs,)
        return (self.formula.value, *self.formula.parts.values(), *flags, *self.level_needs.values())

    def row(self) -> dict[str, Any]:
        """The entry by column name, numbers as numbers and None for empty, in a fixed order.

        >>> from indicators.catalogue import Catalogue
        >>> row = Catalogue.load()["air.aqi"].row()
        >>> row["blue"], row["inputs"]
        (101, 'pm25;pm10;so2;no2;o3;co')
        """
        e = self.entry
        columns = ("id", "name_zh", "name_en", "theme", "domain")
        first = {name: getattr(e, name) for name in columns}
        more = {
            "inputs": ";".join(e.inputs or (*self.metrics, *self.events)),
            "formula": e.formula.strip(),
            "unit": e.unit,
        }
        levels: dict[str, float | int | None] = {
            name: _number(e.levels[name].raise_) if name in e.levels else None for name in LEVELS
        }
        return {
            **first,
            **more,
            "window": e.window,
            "hop": e.hop,
            "rollup": e.rollup or None,
            "direction": e.direction,
            **levels,
            "threshold_source": e.threshold_source or None,
            "anomaly": e.anomaly,
            "department": e.department or None,
            "tier": e.tier,
            "note": e.note or None,
            "provenance": {name: e.provenance.get(name) for name in LEVELS},
            "meaning": e.meaning or None,
            "alarm_needs": e.alarm_needs,
            "level_needs": dict(e.level_needs),
            "lowest": e.lowest,
            "merge": e.merge,
            "clear": {str(name): _number(c) for name, c in zip(LEVELS, self.clears, strict=True)},
            "min_coverage": self.min_coverage,
            "early": e.early,
        }


def _number(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    return int(value) if value == int(value) else value


def build(entry: Entry, metrics: Metrics) -> Indicator:
    """The indicator of an entry.

    Raises:
        ValueError: a key holds what cannot be used; names the key, what was found and what to do.

    >>> from indicators.entry import decode
    >>> entry = decode({"id": "my.gust", "name_zh": "阵风", "name_en": "Gust", "theme": "emergency",
    ...     "domain": "weather", "unit": "m/s", "window": "10m", "hop": "1m",
    ...     "formula": "highest(max(wind_gust))", "levels": {"red": {"raise": 30}}})
    >>> build(entry, Metrics.load()).clears
    (nan, nan, nan, 28.5)
    """
    window, hop = _duration("window", entry.window), _duration("hop", entry.hop)
    if DAY % hop:
        raise ValueError(f"hop: {entry.hop} does not divide 24h; window ends are counted from midnight")
    formula, alarm, needs = _formulas(entry, metrics, window)
    _check_inputs(entry, formula)
    raises = _raises(entry)
    return Indicator(
        id=entry.id,
        window_ms=window,
        hop_ms=hop,
        formula=formula,
        alarm_needs=alarm,
        level_needs=needs,
        raises=raises,
        clears=_clears(entry, raises),
        for_ms=_for(entry),
        high_bad=entry.direction != "low_bad",
        min_coverage=_coverage(formula) if entry.min_coverage is None else entry.min_coverage,
        lowest=entry.lowest,
        merge=entry.merge,
        early=entry.early,
        entry=entry,
    )


def _duration(key: str, text: str) -> int:
    try:
        return milliseconds(text)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


def _formulas(entry: Entry, metrics: Metrics, window: int) -> tuple[Formula, Node | None, dict[int, Node]]:
    key = "formula"
    try:
        formula = compile_formula(entry.formula, metrics, window_ms=window)
        key, alarm = "alarm_needs", None
        if entry.alarm_needs is not None:
            alarm = compile_flag(entry.alarm_needs, formula, metrics, window_ms=window)
        needs: dict[int, Node] = {}
        for level, text in entry.level_needs.items():
            key = f"level_needs.{level}"
            needs[LEVELS.index(level) + 1] = compile_flag(text, formula, metrics, window_ms=window)
    except FormulaError as error:
        raise ValueError(f"{key}: {error}") from None
    flags = [*needs.values(), *([] if alarm is None else [alarm])]
    _check_flags(formula, flags)
    return formula, alarm, needs


def _check_flags(formula: Formula, flags: list[Node]) -> None:
    known = {*formula.metrics, *formula.events}
    for code in (code for codes in used(flags) for code in codes):
        if code not in known:
            raise ValueError(f"alarm_needs, level_needs: {code} is not in the formula; name a part there")


def _check_inputs(entry: Entry, formula: Formula) -> None:
    found = {*formula.metrics, *formula.events}
    if entry.inputs is not None and set(entry.inputs) != found:
        raise ValueError(
            f"inputs: found {', '.join(entry.inputs)}, but the formula reads {', '.join(sorted(found))};"
            " list these or leave inputs out"
        )


def _raises(entry: Entry) -> Four:
    if entry.direction == "both" and entry.levels:
        raise ValueError("direction: 'both' has no worse side, so it goes without levels; leave levels out")
    blue, yellow, orange, red = (
        entry.levels[name].raise_ if name in entry.levels else math.nan for name in LEVELS
    )
    used_ = [entry.levels[name].raise_ for name in LEVELS if name in entry.levels]
    worse = sorted(used_, reverse=entry.direction == "low_bad")
    if not all(map(math.isfinite, used_)):
        raise ValueError(f"levels: found {used_}; a threshold is a finite number")
    if used_ != worse:
        order = "fall" if entry.direction == "low_bad" else "rise"
        raise ValueError(f"levels: found {used_}; with {entry.direction} they must {order} from blue to red")
    for level in entry.level_needs:
        if level not in entry.levels:
            raise ValueError(f"level_needs.{level}: the level has no threshold; add levels.{level}")
    return blue, yellow, orange, red


def _clears(entry: Entry, raises: Four) -> Four:
    """A level is left 5 % of the step to the level below it before its threshold, unless ``clear`` says."""
    side = 1.0 if entry.direction == "low_bad" else -1.0
    thresholds = [r for r in raises if not math.isnan(r)]
    clears: dict[Level, float] = {}
    for name, raised in zip(LEVELS, raises, strict=True):
        if math.isnan(raised):
            continue
        written = entry.levels[name].clear
        if written is not None and not (written - raised) * side >= 0:
            raise ValueError(f"levels.{name}: clear {written:g} lies on the worse side of raise {raised:g}")
        band = _CLEAR_BAND * _step(thresholds, thresholds.index(raised))
        clears[name] = round(raised + side * band, 12) if written is None else written
    blue, yellow, orange, red = (clears.get(name, math.nan) for name in LEVELS)
    return blue, yellow, orange, red


def _step(thresholds: list[float], i: int) -> float:
    if len(thresholds) == 1:
        return abs(thresholds[0])
    low = max(i - 1, 0)
    return abs(thresholds[low + 1] - thresholds[low])


def _for(entry: Entry) -> tuple[int, int, int, int]:
    held = (entry.levels[name].for_ if name in entry.levels else None for name in LEVELS)
    blue, yellow, orange, red = (0 if text is None else _duration("for", text) for text in held)
    return blue, yellow, orange, red


def _coverage(formula: Formula) -> float:
    reductions = (n for n in walk(formula.value) if isinstance(n, Reduce) and n.fn in _WANTS_COVERAGE)
    wanted = any(isinstance(inner, Metric) for reduction in reductions for inner in walk(reduction))
    return _MIN_COVERAGE if wanted else 0.0
