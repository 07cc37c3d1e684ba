"""The graph: ids that recovery folders depend on, and no stream that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bytewax.dataflow import Dataflow

from flows.city_flow import STEPS
from flows.replay import ReplayOptions, flow_of


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
        *("records", "control", "inputs", "to_rejects", "to_cases", "cases", "to_shards", "shard_in"),
        *("shards_merged", "shards", "to_areas", "areas", "published", "to_values", "to_incidents"),
        *("to_feedback", "incidents_in", "incidents", "to_alerts", "to_incident_lines"),
        *("rejects_out", "values_out", "alerts_out", "incidents_out"),
    )
    assert frozen == STEPS


def test_every_stream_is_made_by_one_step_and_used_by_another(flow: Dataflow) -> None:
    made = [s for step in flow.substeps for s in streams(step, step.dwn_names)]
    used = {s for step in flow.substeps for s in streams(step, step.ups_names)}
    assert len(made) == len(set(made))
    assert set(made) == used


def test_the_four_outputs_are_the_only_steps_without_a_stream_out(flow: Dataflow) -> None:
    ends = [step.step_name for step in flow.substeps if not step.dwn_names]
    assert ends == ["rejects_out", "values_out", "alerts_out", "incidents_out"]
