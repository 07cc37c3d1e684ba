"""The detector for one series, written again with plain numbers: ``indicators.detector`` is held to it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

VIEWS = range(6)
WEIGHTS = (1.0, 1.0, 1.0, 1.0, 0.6, 0.6)
SPANS = {"fast": 55, "slow": 130, "day": 40, "week": 5, "volatility": 160, "usual": 300}
STEPS_A_DAY = 288


@dataclass
class Said:
    """What is said of one row; ``edge``: a decision was so near that rounding may take it."""

    score: float
    p: float
    kind: str
    alarm: bool
    baseline: float
    half: float
    edge: bool


@dataclass
class OneSeries:
    """One series at a step of five minutes, with a budget of false alarms per 1,000 series and day."""

    budget: float = 10.0
    n: int = 0
    age: int = 0
    origin: float = 0.0
    ema: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    vol: tuple[float, float] = (0.0, 0.0)
    day: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    day_n: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    week: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    week_n: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    visits: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    slot: int = -1
    mean: list[float] = field(default_factory=lambda: [0.0] * 6)
    var: list[float] = field(default_factory=lambda: [0.0] * 6)
    high: list[float] = field(default_factory=lambda: [0.0] * 6)
    low: list[float] = field(default_factory=lambda: [0.0] * 6)
    peak: float = 0.0
    last: float = 0.0
    usual_step: float = 0.0
    unrest: float = 0.0
    residual: float = 0.0
    leap: float = 0.0
    before: float = 0.0
    since_leap: int = 255
    run: int = 0
    longest_run: float = 0.0
    gap: int = 0
    longest_gap: float = 0.0
    rate: float = 0.0
    excess: float = 0.3
    calm: int = 255
    rest: int = 255
    edge: bool = False

    def alpha(self, name: str, n: int) -> float:
        return max(1 / SPANS[name], 1 / (n + 1))

    def update(self, reading: float, slot: int) -> Said:
        present = math.isfinite(reading)
        if present and self.n == 0:
            self.origin = reading
        x = self.bounded(reading - self.origin) if present else 0.0
        _, weekly = self.expected(slot)
        baseline, half = (self.origin + weekly if self.n > 20 else math.nan), 3 * math.sqrt(self.residual)
        stuck, silent = self.runs(x, present=present)
        step = size = 0.0
        over = [0.0] * 6
        if present:
            step, size = self.move(x)
            over = self.records(self.views(x, slot))
            self.stray(x - weekly)
        else:
            self.fade()
        surprise = self.surprise(over)
        common = 1.5e-3 / (1 + 2.45 * surprise) ** 2 if surprise > 0 else 1.0
        p = min(self.own(surprise), stuck, silent)
        rare = common <= 1e-3 and present
        kind = self.kind(x, x - weekly, step, size, over, (stuck, silent), present=present, rare=rare)
        alarm = self.alarmed(p)
        score = min(max(-math.log10(min(common, max(min(stuck, silent), 1e-3))) / 6, 0.0), 1.0)
        self.age += self.n > 0
        self.n += present
        return Said(score, p, kind, alarm, baseline, half, self.edge)

    def bounded(self, x: float) -> float:
        furthest = 100 * math.sqrt(self.var[3])
        if self.n <= 60 or furthest <= 0:
            return x
        return min(max(x, self.low[3] - furthest), self.high[3] + furthest)

    def expected(self, slot: int) -> tuple[float, float]:
        hour = slot % 24
        base = self.day[hour] if self.day_n[hour] else self.ema["usual"]
        v = max(self.visits[slot] - 1, 0)
        return base, base + v / (v + 1) * self.week[slot]

    def runs(self, x: float, *, present: bool) -> tuple[float, float]:
        self.longest_run *= 1 - 1 / 20000
        self.longest_gap *= 1 - 1 / 20000
        if present:
            equal = self.n > 0 and x == self.last
            if not equal:
                self.longest_run, self.run = max(self.longest_run, self.run), 0
            self.run += equal
            self.longest_gap, self.gap = max(self.longest_gap, self.gap), 0
        elif self.n > 0:
            self.gap += 1

        def rare(length: int, longest: float) -> float:
            longest = max(longest, 3.0)
            if self.n <= 60 or length <= 1.25 * longest + 1:
                return 1.0
            return float(max(self.age, 2) ** (-(1 + length / longest) / 2))

        stuck = rare(self.run, self.longest_run) if present and self.n > 2 * self.run else 1.0
        return stuck, 1.0 if present else rare(self.gap, self.longest_gap)

    def move(self, x: float) -> tuple[float, float]:
        if self.n == 0:
            self.last = x
            return 0.0, 0.0
        step, self.last = x - self.last, x
        length = abs(step)
        size = length / max(self.usual_step, 1e-12) if self.n > 20 else 0.0
        self.unrest += 0.08 * (min(size, 8.0) - self.unrest)
        self.since_leap = min(self.since_leap + 1, 255)
        if self.n > 20 and self.usual_step > 0:
            length = min(length, 4 * self.usual_step + 1e-12)
        self.usual_step += self.alpha("usual", self.n - 1) * (length - self.usual_step)
        return step, size

    def views(self, x: float, slot: int) -> list[float]:
        e, n, hour = self.ema, self.n, slot % 24
        view = [0.0] * 6
        for i, name in enumerate(("fast", "slow")):
            view[i] = x - e[name]
            e[name] += self.alpha(name, n) * view[i]
        view[3] = x
        self.visits[slot] += self.slot != slot
        self.slot = slot
        base, weekly = self.expected(slot)
        for i, name, left in ((2, "day", x - base), (5, "week", x - weekly)):
            e[name] += self.alpha(name, n) * (left - e[name])
            view[i] = e[name]
        self.day_n[hour] += 1
        self.week_n[slot] += 1
        self.day[hour] += max(0.1, 1 / min(self.day_n[hour], 255)) * (x - self.day[hour])
        weight = max(0.1, 1 / min(self.week_n[slot], 255))
        self.week[slot] += weight * (x - self.day[hour] - self.week[slot])
        e["usual"] += self.alpha("usual", n) * (x - e["usual"])
        a, (mean, var) = self.alpha("volatility", n), self.vol
        d = x - mean
        self.vol = mean + a * d, (1 - a) * (var + a * d * d)
        view[4] = math.log(math.sqrt(self.vol[1]) + 1e-3 * math.sqrt(self.var[3]) + 1e-9)
        return view

    def records(self, view: list[float]) -> list[float]:
        for c in VIEWS:
            if self.n == 20 or (c == 4 and self.n == 50):
                self.mean[c] = self.high[c] = self.low[c] = view[c]
                self.var[c] = 0.0
        over = [0.0] * 6
        for c in VIEWS:
            sd = math.sqrt(self.var[c])
            if sd > 1e-12 and self.n > 60:
                over[c] = WEIGHTS[c] * max(0.0, view[c] - self.high[c], self.low[c] - view[c]) / sd
            a = max(1 / 5000, 1 / (self.n - 19)) if self.n >= 20 else 0.0
            d = view[c] - self.mean[c]
            self.mean[c] += a * d
            self.var[c] = (1 - a) * (self.var[c] + a * d * d)
        self.fade()
        if self.n >= 20:
            self.high = [max(h, v) for h, v in zip(self.high, view, strict=True)]
            self.low = [min(w, v) for w, v in zip(self.low, view, strict=True)]
        return over

    def fade(self) -> None:
        for c in VIEWS:
            self.high[c] -= (self.high[c] - self.mean[c]) / 20000
            self.low[c] += (self.mean[c] - self.low[c]) / 20000

    def stray(self, left: float) -> None:
        square, limit = left * left, 16 * self.residual
        if self.n > 20 and limit > 0:
            square = min(square, limit)
        self.residual += self.alpha("usual", self.n) * (square - self.residual)

    def surprise(self, over: list[float]) -> float:
        largest = min(max(over), 20.0)
        self.edge = 5e-4 < largest < 2e-3 or 0 < abs(largest - self.peak) < 0.002 * largest
        largest = largest if largest >= 1e-3 else 0.0
        out = largest if largest > self.peak else 0.0
        self.peak = max(self.peak * 0.99, largest)
        return out

    def own(self, surprise: float) -> float:
        age = max(self.age, 1)
        rate = max(self.rate, 2 / min(age, 20000))
        p = min(rate * (1 + 0.15 * surprise / self.excess) ** (-1 / 0.15), 1.0) if surprise > 0 else 1.0
        self.rate += max(1 / 2016, 1 / (age + 1)) * ((surprise > 0) - self.rate)
        if surprise > 0:
            self.excess += (min(surprise, 4 * self.excess) - self.excess) / 30
        return p

    def kind(
        self,
        x: float,
        left: float,
        step: float,
        size: float,
        over: list[float],
        runs: tuple[float, float],
        *,
        present: bool,
        rare: bool,
    ) -> str:
        stuck, silent = (p < 1e-3 for p in runs)
        self.calm = 0 if rare or stuck or silent else min(self.calm + 1, 255)
        kind = self.sort(x, left, step, size, over) if rare else "normal"
        if present and self.calm <= 36:
            there = self.leap and (x - self.before) * math.copysign(1, self.leap) >= abs(self.leap) / 2
            if (there or (not self.leap and self.since_leap < 24)) and 6 <= self.since_leap < 24:
                kind = "level_shift"
            if self.unrest >= 4:
                kind = "noise_burst"
        kind = "flat_line" if stuck else kind
        kind = "silence" if silent else kind
        return "warming_up" if self.n <= 60 else kind

    def sort(self, x: float, left: float, step: float, size: float, over: list[float]) -> str:
        view = max(VIEWS, key=lambda c: over[c])
        back = abs(x - self.before) < abs(self.leap) / 2 and self.since_leap < 24
        if size >= 5 and not back:
            self.before, self.leap, self.since_leap = x - step, step, 0
        if size >= 5 or self.since_leap < 6:
            return "spike"
        if view == 4:
            return "noise_burst"
        hours = [self.day[h] for h in range(24)]
        season = max(hours) - min(hours)
        astray = season >= 4 * math.sqrt(self.residual) and abs(left) >= season / 3
        return "seasonal" if view in {2, 5} and over[3] <= 0 and astray else "drift"

    def alarmed(self, p: float) -> bool:
        rare = p <= self.budget / 1000 / STEPS_A_DAY
        raised = rare and self.age >= 2 * STEPS_A_DAY and self.n >= 168 and self.rest >= 12
        self.rest = 0 if rare else min(self.rest + 1, 255)
        return raised
