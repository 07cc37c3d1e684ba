"""One network, many sensors: what each should read given the flows, and who departs from that for hours.

    drivers ─▶ features ─▶ what a member should read ─▶ hourly residual ─▶ cumulative sums ─▶ alarm, member

A leak moves pressures by less than a day moves them. But flows tell what pressures should be: every member
is regressed on the drivers, their squares and products, online (recursive least squares in normal form,
forgetting slowly). The hourly mean residual, in robust standard deviations, goes into Page's two-sided
cumulative sum; the network alarms when that of any member is large. Source: Page, "Continuous inspection
schemes", Biometrika 41, 1954.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VERSION = 1

_ROBUST = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""

_BOUND = 6.0
"""One hour counts as no more than so many standard deviations."""


@dataclass(frozen=True)
class NetworkSettings:
    """Lengths and limits.

    ``rows`` an hour; ``memory``: rows until a row weighs a third; hours of ``warming`` before it speaks,
    hours with which residuals are ``compared``, hours of ``rest`` after an alarm; ``slack`` and ``limit`` of
    the sums: shifts up to the slack are let pass, one of s reaches the limit in limit / (s - slack) hours.
    """

    rows: int = 12
    memory: float = 4000.0
    warming: int = 96
    compared: int = 96
    rest: int = 72
    slack: float = 1.0
    limit: float = 15.0
    ridge: float = 1e-3


@dataclass(frozen=True, slots=True)
class NetworkVerdict:
    """What is to be said of an hour that ended.

    ``evidence`` float64 [M], the larger of each member's sums; ``residual`` float64 [M] in its unit, NaN
    without readings; whether to ``alarm``; the ``member`` with most evidence.
    """

    evidence: Floats
    residual: Floats
    alarm: bool
    member: int


class NetworkDetector:
    """Watches ``members`` sensors explained by ``drivers`` flows; all state is in plain arrays.

    >>> rng = np.random.default_rng(1)
    >>> network, alarms = NetworkDetector(members=3, drivers=1), []
    >>> for row in range(200 * 12):
    ...     flow = 100 + 30 * np.sin(row / 46) + rng.normal()
    ...     leak = np.array([0.0, 0.05, 0.0]) * (row >= 150 * 12)
    ...     heads = 50 - 1e-3 * flow**2 - leak + rng.normal(0, 0.02, 3)
    ...     verdict = network.update(heads, np.array([flow]))
    ...     alarms += [(row // 12, verdict.member)] if verdict and verdict.alarm else []
    >>> alarms
    [(153, 1)]
    """

    def __init__(self, members: int, drivers: int, settings: NetworkSettings | None = None) -> None:
        """``settings`` default to rows of five minutes."""
        self.settings = settings or NetworkSettings()
        features = 1 + drivers + drivers * (drivers + 1) // 2
        self._state: dict[str, NDArray[np.float64]] = {
            "scale": np.zeros(drivers),
            "origin": np.full(members, np.nan),
            "gram": np.tile(np.eye(features) * self.settings.ridge, (members, 1, 1)),
            "cross": np.zeros((members, features)),
            "weights": np.zeros((members, features)),
            "sum": np.zeros(members),
            "present": np.zeros(members),
            "past": np.full((self.settings.compared, members), np.nan),
            "sums": np.zeros((2, members)),
            # rows, hours, hours of rest left
            "counts": np.zeros(3),
        }

    def update(self, members: Floats, drivers: Floats) -> NetworkVerdict | None:
        """Take a row of readings, NaN where missing; return a verdict when an hour of rows is complete.

        A row without all drivers teaches nothing and counts for nothing, neither does a missing reading.
        """
        state = self._state
        state["counts"][0] += 1
        if np.isfinite(drivers).all():
            self._row(members, drivers)
        if state["counts"][0] % self.settings.rows:
            return None
        state["weights"][:] = np.linalg.solve(state["gram"], state["cross"][..., None])[..., 0]
        return self._hour()

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The whole state as plain arrays, copied, and its ``version``."""
        return {"version": np.array([float(VERSION)]), **{n: a.copy() for n, a in self._state.items()}}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]]) -> Self:
        """Go on from what :meth:`arrays` gave.

        Raises:
            ValueError: another version, or another number of members or drivers.
        """
        version = arrays.get("version")
        if version is None or version.tolist() != [VERSION]:
            raise ValueError(f"the state of a network has version {VERSION}; found {version}: start anew")
        for name, array in self._state.items():
            if name not in arrays or arrays[name].shape != array.shape:
                raise ValueError(f"array {name!r} of a network has shape {array.shape}; start anew")
        self._state = {name: arrays[name].astype(np.float64) for name in self._state}
        return self

    def _row(self, members: Floats, drivers: Floats) -> None:
        state = self._state
        if not state["scale"].any():
            state["scale"] = np.maximum(np.abs(drivers), 1e-9)
        features = _features(drivers / state["scale"])
        due = state["weights"] @ features
        present = np.isfinite(members)
        first = present & np.isnan(state["origin"])
        state["origin"][first] = members[first]
        read = np.where(present, members - state["origin"], due)
        state["sum"] += read - due
        state["present"] += present
        keep = np.where(present, 1.0 - 1.0 / self.settings.memory, 1.0)
        state["gram"] *= keep[:, None, None]
        state["gram"] += np.where(present[:, None, None], np.outer(features, features), 0.0)
        state["cross"] *= keep[:, None]
        state["cross"] += np.where(present, read, 0.0)[:, None] * features

    def _hour(self) -> NetworkVerdict:
        state, to = self._state, self.settings
        present = state["present"]
        residual = np.where(present > 0, state["sum"] / np.maximum(present, 1), np.nan)
        state["sum"], state["present"] = np.zeros_like(present), np.zeros_like(present)
        _, hours, rest = state["counts"]
        past = state["past"]
        if hours >= to.warming and rest <= 0:
            self._accumulate(residual, past)
        elif rest > 0:
            state["sums"][:] = 0.0
        past[int(hours) % to.compared] = residual
        evidence = state["sums"].max(axis=0)
        member = int(evidence.argmax())
        alarm = bool(evidence[member] > to.limit)
        state["counts"][1:] = hours + 1, to.rest if alarm else max(rest - 1, 0)
        if alarm:
            state["sums"] = np.zeros_like(state["sums"])
        return NetworkVerdict(evidence, residual, alarm, member)

    def _accumulate(self, residual: Floats, past: Floats) -> None:
        sums = self._state["sums"]
        centre = _median(past)
        spread = _ROBUST * _median(np.abs(past - centre))
        known = np.isfinite(residual) & (spread > 0)
        z = np.clip((residual - centre) / np.where(known, spread, 1.0), -_BOUND, _BOUND)
        z = np.where(known, z, 0.0)
        slack = np.where(known, self.settings.slack, 0.0)
        self._state["sums"] = np.maximum(sums + np.stack([z, -z]) - slack, 0.0)


def _features(drivers: Floats) -> Floats:
    """1, the drivers, and all products of two of them."""
    pairs = combinations_with_replacement(range(drivers.size), 2)
    return np.concatenate([[1.0], drivers, [drivers[a] * drivers[b] for a, b in pairs]])


def _median(rows: Floats) -> Floats:
    """Medians of columns without the missing; 0 for a column of nothing."""
    known = np.isfinite(rows).any(axis=0)
    medians = np.zeros(rows.shape[1])
    medians[known] = np.nanmedian(rows[:, known], axis=0)
    return medians
