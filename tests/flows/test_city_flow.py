"""The graph: ids that recovery folders depend on, and no stream that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource, run_main

from flows.city_flow import SCORE_STEPS, SENSOR_STEPS, STEPS, Ends, Steps, Tap, build
from flows.control.no_control import NoControl
from flows.records import Item
from flows.replay.replaying import ReplayOptions, flow_of
from flows.scores.settings import ScoreSettings


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Dataflow:
    out: Path = tmp_path_factory.mktemp("out")
    return flow_of(ReplayOptions(out=out), lambda _: None)


def streams(step: Any, names: list[str]) -> Iterator[str]:
    for name in names:
        port = getattr(step, name)
        yield from port.stream_ids.values() if hasattr(port, "stream_ids") else [port.stream_id]


def test_the_step_ids_are_the_frozen_ones(flow: Dataflow) -> None:
    # The engine finds a step's state by its id: a renamed step would silently start empty.
    assert tuple(step.step_id for step in flow.substeps) == tuple(f"city.{name}" for name in STEPS)
    frozen = (
        *("records", "to_rejects", "to_cases", "cases", "to_shards", "shard_in"),
        *("shards_merged", "shards", "to_areas", "areas", "published", "to_values", "to_incidents"),
        *("to_feedback", "incidents_in", "incidents", "to_alerts", "to_incident_lines"),
        *("to_refused", "refused", "rejects_out", "values_out", "alerts_out", "incidents_out"),
    )
    assert frozen == STEPS


def test_the_steps_of_scores_come_behind_the_frozen_ones_only_where_they_are_asked_for(
    tmp_path: Path,
) -> None:
    scored = flow_of(ReplayOptions(out=tmp_path, anomaly=ScoreSettings()), lambda _: None)
    found = tuple(step.step_id for step in scored.substeps)
    assert found == tuple(f"city.{name}" for name in (*STEPS, *SCORE_STEPS))
    assert SCORE_STEPS == ("to_scores", "scores", "to_anomalies", "anomalies_out")


def test_the_steps_of_judged_sensors_come_only_where_they_are_asked_for(tmp_path: Path) -> None:
    judging = flow_of(ReplayOptions(out=tmp_path, quarantine=ScoreSettings()), lambda _: None)
    found = {step.step_id for step in judging.substeps}
    assert found == {f"city.{name}" for name in (*STEPS, *SENSOR_STEPS)}
    assert (
        *("to_sensors", "sensors", "to_orders", "to_fault_alerts", "to_faults", "faults_out"),
    ) == SENSOR_STEPS


def test_every_stream_is_made_by_one_step_and_used_by_another(flow: Dataflow) -> None:
    made = [s for step in flow.substeps for s in streams(step, step.dwn_names)]
    used = {s for step in flow.substeps for s in streams(step, step.ups_names)}
    assert len(made) == len(set(made))
    assert set(made) == used


def test_the_four_outputs_are_the_only_steps_without_a_stream_out(flow: Dataflow) -> None:
    ends = [step.step_name for step in flow.substeps if not step.dwn_names]
    assert ends == ["rejects_out", "values_out", "alerts_out", "incidents_out"]


def test_a_tap_hears_what_the_sink_of_its_stream_hears() -> None:
    heard: dict[str, list[Any]] = {name: [] for name in ("out", "values", "areas", "alerts")}
    sinks = {name: TestingSink(items) for name, items in heard.items()}
    flow = build(
        Ends(
            records=TestingSource([Item("shard", "one", 1), Item("shard", "one", 2)]),
            control=NoControl(),
            rejects=TestingSink([]),
            values=sinks["out"],
            alerts=TestingSink([]),
            incidents=TestingSink([]),
            taps=(
                Tap("values_tap", "values", sinks["values"]),
                Tap("areas_tap", "area_values", sinks["areas"]),
                Tap("alerts_tap", "alerts", sinks["alerts"]),
            ),
        ),
        Steps(
            cases=lambda _: Echo(),
            shards=lambda _: Echo(),
            areas=lambda _: Echo(),
            incidents=lambda _: Echo(),
        ),
    )
    run_main(flow)  # type: ignore[no-untyped-call]
    assert heard["values"] == heard["out"]
    assert sorted(heard["out"]) == [("areas", 1), ("areas", 2), ("one", 1), ("one", 2)]
    assert heard["areas"] == [("areas", 1), ("areas", 2)]
    assert heard["alerts"] == []


class Echo(StatefulBatchLogic[Item, Item, None]):
    """Of a lane: each piece as a value, and on to the areas; of the areas: each piece as a value."""

    def on_batch(self, values: list[Item]) -> tuple[list[Item], bool]:
        out = []
        for item in values:
            lane = item.step == "shard"
            out.append(Item("value", item.key if lane else "areas", item.piece))
            out += [Item("area", "city", item.piece)] if lane else []
        return out, False

    def snapshot(self) -> None:
        return None
