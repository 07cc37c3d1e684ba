"""Golden cases through the engine: (cases, indicators) → what was found beside what was expected.

>>> from indicators.catalogue import Catalogue
>>> from indicators.golden_case import shipped_cases
>>> shipped = {i.id: i for i in Catalogue.load().indicators}
>>> [area.passed for area in run_case(shipped_cases()[0], shipped, Metrics.load()).areas]
[True]
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alerts.evidence import Evidence
from alerts.ladder import Ladder, target
from indicators.catalogue import Indicator
from indicators.golden_case import GoldenCase
from indicators.golden_town import GoldenTown
from indicators.judge import Judged
from indicators.metrics import Metrics

TOLERANCE = 1e-6
"""Expected values are written with nine decimals: what may be between, absolute or relative."""


@dataclass(frozen=True, slots=True)
class AreaResult:
    """One area of a case: values NaN for none; levels None for none, or where any is right."""

    area: str
    expected: float
    found: float
    expected_level: int | None
    found_level: int | None
    any_level: bool = False

    @property
    def value_passed(self) -> bool:
        """The value is the expected one, or both are missing."""
        if math.isnan(self.expected) or math.isnan(self.found):
            return math.isnan(self.expected) and math.isnan(self.found)
        return math.isclose(self.expected, self.found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)

    @property
    def passed(self) -> bool:
        """Value and level are as expected."""
        return self.value_passed and (self.any_level or self.expected_level == self.found_level)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case with a result for each of its areas, or the reason why it could not be computed."""

    case: GoldenCase
    areas: tuple[AreaResult, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """All areas passed."""
        return not self.problem and all(area.passed for area in self.areas)


def run_case(case: GoldenCase, indicators: Mapping[str, Indicator], metrics: Metrics) -> CaseResult:
    """Compute one case; a case without a computable indicator has a ``problem``."""
    indicator = indicators.get(case.indicator)
    if indicator is None:
        near = difflib.get_close_matches(case.indicator, list(indicators), n=1)
        hint = f"did you mean {near[0]}?" if near else "give its file too, or --catalogue"
        return CaseResult(case, problem=f"there is no indicator {case.indicator!r}; {hint}")
    try:
        town = GoldenTown(case, indicator, metrics)
    except ValueError as error:
        return CaseResult(case, problem=str(error))
    judged = town.judged()
    levels = _levels(judged, indicator)
    results = tuple(
        AreaResult(
            area=area,
            expected=_or_nan(case.value[area]),
            found=float(judged.value[0, i]),
            expected_level=case.level.get(area),
            found_level=None if np.isnan(judged.value[0, i]) else int(levels[i]),
            any_level=area not in case.level,
        )
        for i, area in enumerate(town.areas)
    )
    return CaseResult(case, results)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _levels(judged: Judged, indicator: Indicator) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The level each value leads to from none, leaving every ``for`` aside."""
    level_ok = None if judged.level_ok is None else judged.level_ok[0]
    seen = Evidence(judged.value[0], judged.allowed[0], level_ok)
    return target(Ladder.of(indicator), np.zeros(len(judged.value[0]), np.uint8), seen)
