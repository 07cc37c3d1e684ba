"""Which store of a metric an indicator reads, when the catalogue has changed while the engine ran.

A metric begins with one stock: slices, closed steps and retention as the first catalogue's plan says. A
later indicator reads it too where its windows are whole slices and its sums are kept; else a further stock
begins at the change, with the readings still there. So nothing that is kept is ever cut or put together
another way, and what indicators read that did not change stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Self

from indicators.attic import Attic
from indicators.plan import LONGEST_SLICE, IndicatorPlan, Plan
from indicators.retention import Retention, Use
from indicators.slice_ring import SliceRing
from indicators.store import REFERENCE_HOLD, MetricKind
from indicators.tiers import Channel, Tier


@dataclass(frozen=True, slots=True)
class Stock:
    """How one store keeps a metric, and the ids of the indicators that read it.

    ``slice_ms`` is the length of its slices, ``grain`` that of its closed steps with ``channels``: none, no
    steps. The first stock of a metric has ``number`` 0, further ones numbers that are never used again.
    """

    number: int
    slice_ms: int
    grain: int
    channels: tuple[Channel, ...]
    users: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stocks:
    """The stocks of every metric by its number, the first one first; ``next`` numbers the next."""

    by_metric: tuple[tuple[Stock, ...], ...]
    next: int = 1

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """One stock a metric, as a plan says.

        >>> from indicators.catalogue import Catalogue
        >>> from indicators.metrics import Metrics
        >>> plan = Plan(Catalogue.load(), Metrics.load())
        >>> {len(own) for own in Stocks.of(plan).by_metric}
        {1}
        """
        found = []
        for metric, length in enumerate(plan.slice_ms.tolist()):
            kept = plan.retention(metric)
            found.append((Stock(0, length, kept.grain, kept.channels, _readers(plan, metric)),))
        return cls(tuple(found))

    def changed(self, plan: Plan, same: Collection[str]) -> Stocks:
        """The stocks for another catalogue's plan; the indicators ``same`` read what they read before.

        Further stocks that nobody reads any more are left out.
        """
        found = tuple(
            _changed(own, plan, metric, frozenset(same), self.next)
            for metric, own in enumerate(self.by_metric)
        )
        grown = any(stock.number == self.next for own in found for stock in own)
        return Stocks(found, self.next + grown)

    def read_by(self, indicator: str, metric: int) -> Stock:
        """The stock of a metric that an indicator reads."""
        own = self.by_metric[metric]
        return next((stock for stock in own if indicator in stock.users), own[0])


def kind_of(stock: Stock, plan: Plan, metric: int) -> MetricKind:
    """What the store of a stock must know: as a plan says of all indicators, from those that read it."""
    base = plan.kind(metric)
    late = int(plan.metrics.revise_within_ms[metric])
    kept = Retention.of(_uses(plan, metric, stock.users), stock.slice_ms, late)
    hold = REFERENCE_HOLD if base.reference else 0
    raw = kept.raw if stock.channels else kept.kept
    return replace(base, keep_ms=kept.kept + hold, raw_ms=raw)


def ring_of(stock: Stock, plan: Plan, metric: int, origin: int, attic: Attic | None = None) -> SliceRing:
    """The empty slices and steps of a stock."""
    ring = SliceRing(stock.slice_ms, origin)
    ring.tests, ring.attic = plan.tests(metric), attic
    if stock.channels:
        ring.tier = Tier(stock.grain, origin, stock.channels)
        ring.tier.attic = attic
    return ring


def _readers(plan: Plan, metric: int) -> frozenset[str]:
    code = plan.metrics.metrics[metric].code
    return frozenset(p.indicator.id for p in plan.using(code))


def _uses(plan: Plan, metric: int, users: Collection[str]) -> list[Use]:
    code = plan.metrics.metrics[metric].code
    readers = [p for p in plan.using(code) if p.indicator.id in users]
    return [use for p in readers for use in p.uses(code, plan.metrics)]


def _changed(
    own: Iterable[Stock], plan: Plan, metric: int, same: frozenset[str], number: int
) -> tuple[Stock, ...]:
    code = plan.metrics.metrics[metric].code
    readers = {p.indicator.id: p for p in plan.using(code)}
    stocks = [replace(stock, users=stock.users & same & readers.keys()) for stock in own]
    alone: list[IndicatorPlan] = []
    for name, reader in readers.items():
        if any(name in stock.users for stock in stocks):
            continue
        place = next((i for i, stock in enumerate(stocks) if _serves(stock, plan, metric, reader)), None)
        if place is None:
            alone.append(reader)
        else:
            stocks[place] = replace(stocks[place], users=stocks[place].users | {name})
    first, *further = stocks
    kept = [first, *(stock for stock in further if stock.users)]
    if alone:
        kept.append(_further(plan, metric, alone, number))
    return tuple(kept)


def _further(plan: Plan, metric: int, readers: list[IndicatorPlan], number: int) -> Stock:
    code = plan.metrics.metrics[metric].code
    length = math.gcd(LONGEST_SLICE, *(d for p in readers for d in p.durations(code)))
    users = frozenset(p.indicator.id for p in readers)
    late = int(plan.metrics.revise_within_ms[metric])
    kept = Retention.of(_uses(plan, metric, users), length, late)
    return Stock(number, length, kept.grain, kept.channels, users)


def _serves(stock: Stock, plan: Plan, metric: int, reader: IndicatorPlan) -> bool:
    """Whether a stock has, or can keep as single readings, all that an indicator needs of the metric."""
    code = plan.metrics.metrics[metric].code
    late = int(plan.metrics.revise_within_ms[metric])
    if any(duration % stock.slice_ms for duration in reader.durations(code)):
        return False
    uses = reader.uses(code, plan.metrics)
    needed = Retention.of(uses, stock.slice_ms, late)
    if not needed.channels:
        return True
    if not stock.channels:
        return needed.kept <= Retention.of(_uses(plan, metric, stock.users), stock.slice_ms, late).kept
    beyond = [use for use in uses if not use.readings and use.reach > needed.raw]
    return all(use.grain % stock.grain == 0 and set(use.channels) <= set(stock.channels) for use in beyond)
