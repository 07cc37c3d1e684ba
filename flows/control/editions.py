"""The city as it was at every change: (the city a run began with, a change) → the city from then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from alerts.threshold_file import read_thresholds
from alerts.thresholds import Thresholds
from flows.city import City
from flows.control.change import Change
from indicators.catalogue import Catalogue
from indicators.plan import Plan


@dataclass(frozen=True)
class Editions:
    """Builds editions of one city, each once.

    Attributes:
        first: the city at the beginning.
        only: patterns of the indicators it computes.
        heard: told every edition when it comes into force in this process.
    """

    first: City
    only: Sequence[str] = ()
    heard: list[Callable[[City], None]] = field(default_factory=list)
    _built: dict[int, City] = field(default_factory=dict)
    _now: list[int] = field(default_factory=lambda: [0])

    def city(self, change: Change) -> City:
        """The city from a change on.

        Raises:
            CatalogueError, ThresholdError: its files cannot be used; who changes the city checks them before.
        """
        if change.number not in self._built:
            self._built[change.number] = self._city(change)
        return self._built[change.number]

    @property
    def now(self) -> City:
        """The latest edition that a lane of this process has come to."""
        return self._built.get(self._now[0], self.first)

    def enforce(self, change: Change) -> None:
        """A lane has come to a change; who wants to hear of a new edition does so the first time."""
        if change.number > self._now[0]:
            city = self.city(change)
            self._now[0] = change.number
            for tell in self.heard:
                tell(city)

    def _city(self, change: Change) -> City:
        first = self.first
        catalogue, thresholds = in_force(change, first.plan.catalogue.settings, self.only)
        plan = Plan(catalogue, first.plan.metrics)
        return replace(first, plan=plan, thresholds=thresholds, first=first.beginning, edition=change.number)


def in_force(
    change: Change, settings: Mapping[str, float], only: Sequence[str] = ()
) -> tuple[Catalogue, Thresholds]:
    """The catalogue and the thresholds of the files of a change; the hash covers both.

    Raises:
        CatalogueError, ThresholdError: the files cannot be used.
    """
    texts = [(Path(name), text) for name, text in change.catalogue]
    whole = Catalogue.of_texts(texts, dict(settings))
    thresholds = read_thresholds(change.thresholds, whole)
    catalogue = whole.only(only)
    return replace(catalogue, hash=thresholds.hashed(catalogue.hash)), thresholds
