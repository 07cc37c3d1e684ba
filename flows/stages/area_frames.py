"""Windows of areas cut to size: by their ends, by their areas."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flows.batches import Ints
from flows.pieces import AreaFrame
from flows.stages.publisher import Windows
from indicators.judge import Judged

CHUNK = 4_096
"""Window ends judged at once."""


def changes(kind: Ints, uid: Ints) -> NDArray[np.bool_]:
    """bool[n]: where another area begins in sorted columns."""
    first = np.ones(len(kind), bool)
    first[1:] = (kind[1:] != kind[:-1]) | (uid[1:] != uid[:-1])
    return first


def part_of(frame: AreaFrame, first: int, last: int) -> AreaFrame:
    """Some windows of a frame, by number."""
    changed = None if frame.changed is None else frame.changed[first:last]
    return replace(frame, frame=frame.frame.part(first, last), changed=changed)


def between(frame: AreaFrame, first: int, last: int) -> AreaFrame | None:
    """The windows of a frame that end in a span, None where there are none."""
    ends = frame.frame.ends
    begin = int(np.searchsorted(ends, first, side="left"))
    end = int(np.searchsorted(ends, last, side="right"))
    if begin == end:
        return None
    return frame if (begin, end) == (0, len(ends)) else part_of(frame, begin, end)


def only_columns(judged: Judged, columns: Ints) -> Judged:
    """Some areas of judged windows."""
    level_ok = None if judged.level_ok is None else judged.level_ok[:, columns]
    return Judged(
        judged.ends,
        judged.value[:, columns],
        judged.n[:, columns],
        judged.coverage[:, columns],
        judged.allowed[:, columns],
        level_ok,
        judged.recent[:, columns],
        None if judged.warming is None else judged.warming[:, columns],
    )


def only_areas(windows: Windows, columns: Ints) -> Windows:
    """The same with what is known of the areas."""
    return Windows(only_columns(windows.judged, columns), windows.areas[columns], windows.always[:, columns])


def alike(ends: Ints, frames: list[AreaFrame]) -> list[Ints]:
    """Window ends in runs that every frame covers wholly or not at all."""
    cuts = {i for f in frames for i in np.searchsorted(ends, f.frame.ends[[0, -1]] + [0, 1]).tolist()}
    cuts |= set(range(0, len(ends), CHUNK)) | {len(ends)}
    edges = sorted(cuts | {0})
    return [ends[a:b] for a, b in pairwise(edges)]
