"""The partials of an indicator's latest windows, kept so that a late record costs only what it touches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from flows.batches import Ints
from indicators.evaluate import Evaluation, Frame
from indicators.layout import Layout
from indicators.plan import IndicatorPlan
from indicators.shard import Shard

KEEP_MS = 75 * 60_000
"""Most late records are at most an hour late; windows longer ago are evaluated again when asked for."""


@dataclass
class RecentFrames:
    """Frames of one indicator by window end, the newest last. A cache: what is missing is evaluated."""

    plan: IndicatorPlan
    shard: Shard
    _kept: list[tuple[Layout, Frame]] = field(default_factory=list)

    def add(self, layout: Layout, frame: Frame, until: int) -> None:
        """Keep newly closed windows; ``until`` is where the next ``trim`` will be, at least."""
        if frame.ends[-1] > until - KEEP_MS:
            self._kept.append((layout, frame))

    def get(self, ends: Ints) -> Frame:
        """The windows that end at ``ends`` (consecutive), in the present layout."""
        layout = self.shard.layout(self.plan)
        parts: list[Frame] = []
        at = 0
        for known, frame in self._kept:
            first = int(np.searchsorted(ends, frame.ends[0]))
            if first > at:
                parts.append(Evaluation(self.plan, self.shard, ends[at:first]).frame())
                at = first
            begin = int(np.searchsorted(frame.ends, ends[at])) if at < len(ends) else len(frame.ends)
            stop = min(len(frame.ends), begin + len(ends) - at)
            if stop > begin:
                own = frame if (begin, stop) == (0, len(frame.ends)) else frame.part(begin, stop)
                parts.append(own if known is layout else own.at(layout.columns(known.cells), layout.size))
                at += stop - begin
        if at < len(ends):
            parts.append(Evaluation(self.plan, self.shard, ends[at:]).frame())
        return Frame.stacked(parts)

    def put(self, frame: Frame) -> None:
        """Replace the windows of a frame in the present layout, which reach up to the latest closed."""
        layout = self.shard.layout(self.plan)
        first = frame.ends[0]
        kept = []
        for known, old in self._kept:
            cut = int(np.searchsorted(old.ends, first))
            if cut:
                kept.append((known, old if cut == len(old.ends) else old.part(0, cut)))
        self._kept = [*kept, (layout, frame)]

    def trim(self, until: int) -> None:
        """Forget windows that ended long before an instant."""
        before = until - KEEP_MS
        kept = [(known, frame) for known, frame in self._kept if frame.ends[-1] > before]
        if kept and kept[0][1].ends[0] <= before - KEEP_MS:
            known, frame = kept[0]
            cut = int(np.searchsorted(frame.ends, before, side="right"))
            kept[0] = known, frame.part(cut, len(frame.ends))
        self._kept = kept
