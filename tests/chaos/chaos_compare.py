"""What a disturbed engine left behind against what an undisturbed one did: every difference in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sinks.history_hours import KEY
from sinks.kafka_contents import DLQ
from tests.chaos.chaos_departments import actions_of
from tests.kafka.broker import Cluster
from tests.kafka.city_topics import values
from tests.kafka.topics import content
from tests.redis_servers import ask

TRANSITIONS, LETTERS = "transitions in Kafka, each once", "dead letters, each once"
COUNTERS = (
    "received",
    "accepted",
    "rejected",
    "duplicates",
    "late",
    "held",
    "readings",
    "events",
    "feedback",
)


@dataclass(frozen=True, slots=True)
class Left:
    """Where to find what one run left: its folder, its Redis, its topic of alerts."""

    folder: Path
    redis: str
    alerts: str

    def lines(self, name: str) -> list[dict[str, Any]]:
        """A file of lines."""
        path = self.folder / "out" / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def incidents(self) -> dict[str, dict[str, Any]]:
        """The last state of every incident."""
        return {one["incident_id"]: one for one in self.lines("incidents")}

    def entries(self) -> list[str]:
        """The transition ids of all entries of the dispatch queues."""
        (names,) = ask(self.redis, ("KEYS", "yw:dispatch:*"))
        found = []
        for name in names:
            for _, fields in ask(self.redis, ("XRANGE", name, "-", "+"))[0]:
                found.append(dict(zip(fields[::2], fields[1::2], strict=True))["transition_id"])
        return found

    def open_incidents(self) -> set[str]:
        """Ids of the open incidents in Redis."""
        return set(ask(self.redis, ("ZRANGE", "yw:incidents:open", 0, -1))[0])


def place(reject: dict[str, Any]) -> tuple[Any, ...]:
    """The key of a dead letter."""
    return reject["source"], reject["partition"], reject["offset"], reject["index"]


def differences(cluster: Cluster, sources: Iterable[str], found: Left, whole: Left) -> dict[str, str]:
    """By what was compared: "" where it is the same, else what differs."""
    said: dict[str, str] = {}
    one, other = values(found.folder / "history"), values(whole.folder / "history")
    said[f"final indicator table ({other.height:,} rows)"] = _table(one, other)
    alerts = [json.dumps(line, sort_keys=True) for line in found.lines("alerts")]
    expected = [json.dumps(line, sort_keys=True) for line in whole.lines("alerts")]
    said[f"transitions, each once ({len(expected)})"] = _once(alerts, expected)
    incidents = whole.incidents()
    said[f"incidents and their level sequences ({len(incidents)})"] = _same(found.incidents(), incidents)
    acted = actions_of(incidents.values())
    total = sum(len(done) for _, done in acted.values())
    said[f"feedback ({total:,} actions on {len(acted)} incidents)"] = (
        _same(actions_of(found.incidents().values()), acted) if acted else "nobody did anything"
    )
    told = Counter(one.value() or b"" for one in content(cluster, found.alerts))
    ids = [json.loads(value) for value in told.elements()]
    keys = [(line["alert_id"], line["seq"]) for line in ids]
    wanted = [(line["alert_id"], line["seq"]) for line in whole.lines("alerts")]
    said[TRANSITIONS] = _once(keys, wanted)
    rejects = [place(one) for one in whole.lines("rejects")]
    letters = [json.loads(m.value() or b"") for s in sources for m in content(cluster, s + DLQ)]
    said[f"{LETTERS} ({len(rejects)})"] = _once([place(one) for one in letters], rejects)
    entries, all_entries = found.entries(), whole.entries()
    twice = [name for name, times in Counter(entries).items() if times > 1]
    said["no queue entry twice"] = f"twice: {twice[:3]}" if twice else ""
    strange = sorted(set(entries) - set(all_entries))
    said["no queue entry but those of the undisturbed run"] = f"strange: {strange[:3]}" if strange else ""
    said["open incidents in Redis"] = _same(found.open_incidents(), whole.open_incidents())
    said["counters"] = _same(_counters(found), _counters(whole))
    return said


def _counters(left: Left) -> dict[str, Any]:
    summary = json.loads((left.folder / "summary.json").read_text())
    return {name: summary[name] for name in COUNTERS}


def _same(found: object, wanted: object) -> str:
    if found == wanted:
        return ""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        shown = "; ".join(f"{n}: {found.get(n)} instead of {wanted.get(n)}" for n in names[:2])
        return f"{len(names)} differ: {shown}"[:2_000]
    return f"{found} instead of {wanted}"[:500]


def _once(found: Iterable[Hashable], wanted: Iterable[Hashable]) -> str:
    one, other = Counter(found), Counter(wanted)
    if one == other:
        return ""
    twice = [key for key, times in one.items() if times > 1]
    missing, strange = list((other - one).keys()), list((one - other).keys())
    counts = f"{len(missing)} missing, {len(strange)} too many ({len(twice)} twice)"
    return f"{counts}, e.g. {(missing + strange)[:1]}"


def _table(found: pl.DataFrame, wanted: pl.DataFrame) -> str:
    columns = [name for name in wanted.columns if name in found.columns]
    if found.select(columns).equals(wanted.select(columns)):
        return ""
    missing, strange = (
        a.join(b, on=list(KEY), how="anti").height for a, b in ((wanted, found), (found, wanted))
    )
    both = found.join(wanted, on=list(KEY), how="inner")
    differ = {
        name: both.filter(pl.col(name).ne_missing(pl.col(f"{name}_right")))
        for name in ("value", "level", "n", "coverage", "revision", "status")
    }
    counts = {name: rows.height for name, rows in differ.items() if rows.height}
    example = next((str(rows.row(0, named=True)) for rows in differ.values() if rows.height), "")
    return f"{missing} rows missing, {strange} too many, differing {counts} {example}"
