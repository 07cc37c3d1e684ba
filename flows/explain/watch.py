"""What one shard lane keeps of the values that are to be explained.

A lane explains its share of a value once no late record can change it any more, while all it was made of is
still there. The shares go to files; the areas they belong to may lie in several lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flows.batches import Ints
from flows.city import City
from flows.explain.target import Target, targets_of
from flows.recovery.snapshots import packed, thaw
from geo.area_kinds import AreaKind
from indicators.evaluate import Evaluation
from indicators.explain import Share, share_of
from indicators.latest import NEVER
from indicators.layout import Layout
from indicators.shard import Shard

FOLDER = ".explain"
"""Where in the folder of the outputs the shares lie while a replay runs."""


@dataclass(frozen=True)
class LaneShare:
    """The share of one area (of the kind that makes up the value) and tile."""

    uid: int
    tile: int
    share: Share


@dataclass
class Watch:
    """The targets that a lane has not explained yet, by their place in the list."""

    city: City
    folder: Path
    lane: str
    waiting: dict[int, Target]

    def look(self, shard: Shard, until: int, *, final: bool) -> None:
        """Explain what is settled at an instant: all late records that count have come."""
        for number, target in list(self.waiting.items()):
            settled = target.at + target.plan(self.city).correctable(self.city.plan.metrics)
            if until >= settled or final:
                del self.waiting[number]
                (self.folder / f"since-{self.lane}").write_text(str(shard.since), encoding="utf-8")
                if target.at <= until:
                    self._keep(number, self._shares(target, shard))

    def _shares(self, target: Target, shard: Shard) -> list[LaneShare]:
        plan = target.plan(self.city)
        if not shard.active(plan):
            return []
        layout = shard.layout(plan)
        own = _uids(layout, target.kind) == target.uid
        members = _uids(layout, target.member_kind(self.city))
        own &= members >= 0
        if not own.any():
            return []
        at = Evaluation(plan, shard, np.array([target.at], np.int64))
        frame = at.frame()
        found = []
        for uid, tile in sorted(set(zip(members[own].tolist(), layout.tile[own].tolist(), strict=True))):
            columns = np.flatnonzero(own & (members == uid) & (layout.tile == tile))
            found.append(LaneShare(uid, tile, share_of(at, columns, frame)))
        return found

    def _keep(self, number: int, shares: list[LaneShare]) -> None:
        if shares:
            (self.folder / f"{number}-{self.lane}").write_bytes(packed(shares))


def watches(city: City, texts: Sequence[str], out: Path) -> Callable[[str], Watch] | None:
    """What gives each lane its watch over the targets asked for, None where nothing is; makes the folder.

    Raises:
        ValueError: a target cannot be used.
    """
    if not texts:
        return None
    targets = dict(enumerate(targets_of(texts, city)))
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return lambda lane: Watch(city, folder, lane, dict(targets))


def shares_of(folder: Path, number: int) -> list[LaneShare]:
    """The shares of all lanes in a target, in the order in which sums are taken: by area and tile."""
    found: list[LaneShare] = []
    for path in sorted(folder.glob(f"{number}-*")):
        found += thaw(path.read_bytes())
    return sorted(found, key=lambda share: (share.uid, share.tile))


def since_of(folder: Path) -> int:
    """The flow's first watermark, as the lanes noted it."""
    return min((int(path.read_text(encoding="utf-8")) for path in folder.glob("since-*")), default=NEVER)


def _uids(layout: Layout, kind: AreaKind) -> Ints:
    return layout.code if kind is AreaKind.CELL else layout.areas[:, kind - 1]
