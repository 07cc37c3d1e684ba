"""Files dealt to several source parts are the files of one: steps wait for all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from bytewax.inputs import FixedPartitionedSource

from flows.city_flow import Ends, build
from flows.control.no_control import NoControl
from flows.inputs import Input
from flows.records import PART, Item, ReplayPart, ReplaySource
from flows.replay.replaying import ReplayOptions, city_of, replay, roll_of
from flows.replay.running import run_flow
from flows.router import Lanes
from flows.stages.incident_step import desk_of
from flows.steps import CITY, Run
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.outputs import finalise, prepare
from sinks.table_file import ValueTable
from tests.replays import make_city, replay_options, tables


@dataclass(frozen=True)
class Dealt(FixedPartitionedSource[Item, bytes]):
    """One replay source for each part."""

    sources: dict[str, ReplaySource]

    def list_parts(self) -> list[str]:
        return list(self.sources)

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> ReplayPart:
        del step_id
        return ReplayPart(self.sources[for_part], resume_state, for_part)


def replay_dealt(options: ReplayOptions, parts: list[list[Input]], lanes: int) -> None:
    """A replay whose inputs are dealt to several parts."""
    out = options.out
    prepare(out, resume=False)
    city = city_of(options)
    split = Lanes(lanes, city.grid)
    whole = ReplaySource(
        (), city, split, roll_of(options, city.grid), options.batch_size, out / "totals.json", lambda _: None
    )
    names = [f"records-{number:02d}" for number in range(len(parts))]
    sources = {name: replace(whole, inputs=tuple(own)) for name, own in zip(names, parts, strict=True)}
    ends = Ends(
        records=Dealt(sources),
        control=NoControl(),
        rejects=LineFiles(out, "rejects", [PART], reject_line),
        values=ValueTable(out, [*split.shards, "areas"], durable=False),
        alerts=LineFiles(out, "alerts", [CITY], plain_line),
        incidents=LineFiles(out, "incidents", [CITY], plain_line),
    )
    run = Run(city, split, None, desk_of(city), sources=tuple(names))
    run_flow(build(ends, run.steps()), options.recovery, options.snapshot_every)
    finalise(out)


def split(city: Path, count: int) -> list[Path]:
    """The readings in so many files, each sensor in one of them."""
    paths = [city / f"readings-{number}.jsonl" for number in range(count)]
    files = [path.open("w") for path in paths]
    for line in (city / "readings.jsonl").read_text().splitlines():
        try:
            sensor = str(json.loads(line)["sensor_id"])
        except (ValueError, KeyError, TypeError):
            sensor = ""
        files[sum(sensor.encode()) % count].write(line + "\n")
    for file in files:
        file.close()
    return paths


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=40, seed=11)


@pytest.mark.parametrize(("lanes", "batch_size"), [(1, 10_000), (3, 200)])
def test_inputs_of_several_parts_give_what_those_of_one_give(
    city: Path, tmp_path: Path, lanes: int, batch_size: int
) -> None:
    readings = split(city, 3)
    options = replay_options(city, tmp_path / "one")
    options.readings[:] = readings
    replay(options)
    a, b, c = (Input(path, "readings") for path in readings)
    events = Input(city / "events.jsonl", "events")
    several = replace(options, out=tmp_path / "several", batch_size=batch_size)
    replay_dealt(several, [[b], [a, events], [], [c]], lanes)
    one, other = tables(tmp_path / "one"), tables(tmp_path / "several")
    assert one.pop("rejects.jsonl")
    assert other.pop("rejects.jsonl")
    assert other == one
