"""The control input: changes of the city's own files, and the promise that no other is under way.

    a file of changes, or a folder and a signal ─▶ checked ─▶ Change at a slice end ─▶ every shard lane

Lanes wait for it like for any other sender, so that a change takes effect between the same windows in all. A
set of files with a fault is refused whole; what was in force stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alerts.threshold_file import check_thresholds
from flows.batches import FINAL
from flows.control.change import Change, texts_of
from flows.pieces import BEFORE, MAX_DISORDER, Clock, ControlPiece
from flows.records import Item
from indicators.catalogue import Catalogue, CatalogueError, files
from indicators.check import check_texts
from indicators.metrics import Metrics

CONTROL = "control"
"""The one part of the control source, and its name as a sender."""

STEP = 60_000
"""Changes take effect on full minutes, ms: every slice of a minute or longer may end there."""


def base_of(catalogue: Path | None, thresholds: Path | None) -> Change:
    """What a run begins with: the city's own files as they are now.

    Raises:
        CatalogueError: there is no such catalogue, or a folder without one.
        OSError, UnicodeDecodeError: a file cannot be read.
    """
    if catalogue is not None:
        files([catalogue])
    return Change(0, BEFORE, texts_of(catalogue), texts_of(thresholds))


def faults_of(change: Change, only: Sequence[str] = ()) -> list[str]:
    """Every fault of the files of a change, as ``yiwang catalogue check`` tells them; none if it is right."""
    checked = check_texts(change.catalogue, Metrics.load())
    if checked.faults:
        return [str(fault) for fault in checked.faults]
    try:
        whole = Catalogue.of_texts([(Path(name), text) for name, text in change.catalogue])
        whole.only(only)
    except CatalogueError as error:
        return list(error.messages)
    return [str(fault) for fault in check_thresholds(change.thresholds, whole)]


@dataclass(slots=True)
class Changes:
    """The changes of a run so far: the last one in force, how many were refused, and how far was promised.

    ``last`` before any change holds what the run began with.
    """

    last: Change
    only: Sequence[str] = ()
    refused: int = 0
    told: int = BEFORE

    def is_in_force(self, wanted: Change) -> bool:
        """Whether files are those of the last change."""
        return (wanted.catalogue, wanted.thresholds) == (self.last.catalogue, self.last.thresholds)

    def propose(self, wanted: Change, at: int) -> tuple[Change | None, list[str]]:
        """The change to tell the lanes, if files are others and right; else their faults.

        It takes effect at the first full minute after ``at`` and after all that was promised, ms.
        """
        if self.is_in_force(wanted):
            return None, []
        faults = faults_of(wanted, self.only)
        if faults:
            self.refused += 1
            return None, faults
        return self.make(wanted, at), []

    def make(self, wanted: Change, at: int) -> Change:
        """The change to files that are known to be right."""
        after = max(at, self.told, self.last.effective)
        effective = (after // STEP + 1) * STEP
        self.last = replace(wanted, number=self.last.number + 1, effective=effective)
        return self.last

    def pieces(self, lanes: Sequence[str], until: int, changes: Sequence[Change] = ()) -> list[Item]:
        """Tell every lane of changes, and that none but these takes effect up to ``until``, ms."""
        self.told = max(self.told, until)
        # Where all ends the records say.
        clock = Clock(FINAL, BEFORE) if until == FINAL else Clock(until + MAX_DISORDER)
        return [Item("shard", lane, ControlPiece(CONTROL, clock, tuple(changes))) for lane in lanes]
