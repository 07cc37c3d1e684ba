"""The dataflow of a city.

    records, ┬─────────────────────────────▶ rejects_out
    control, ├▶ to_cases ─▶ cases ─┐
    feedback └▶ to_shards ─────────┴▶ shards ─┬▶ to_areas ─▶ areas ─┬▶ values_out
                                              ├─────────────────────┘
                                              └▶ to_incidents ─▶ incidents ─▶ alerts_out, incidents_out

Step ids are frozen (``STEPS``): the engine finds a step's state by its id, and a renamed step silently
starts empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.dataflow import Stream as Flowing
from bytewax.operators import KeyedStream
from bytewax.outputs import Sink

from flows.beat import Beat
from flows.joint_source import JointSource, Parts
from flows.records import Item

STEPS = (
    "records",
    "to_rejects",
    "to_cases",
    "cases",
    "to_shards",
    "shard_in",
    "shards_merged",
    "shards",
    "to_areas",
    "areas",
    "published",
    "to_values",
    "to_incidents",
    "to_feedback",
    "incidents_in",
    "incidents",
    "to_alerts",
    "to_incident_lines",
    "to_refused",
    "refused",
    "rejects_out",
    "values_out",
    "alerts_out",
    "incidents_out",
)
"""Ids of all steps in the order they are built; a test holds the built flow against them."""

SCORE_STEPS = ("to_scores", "scores", "to_anomalies", "anomalies_out")
"""Ids of the steps that a flow with scores has too; ``to_scored`` comes with a tap on scored values."""

SENSOR_STEPS = ("to_sensors", "sensors", "to_orders", "to_fault_alerts", "to_faults", "faults_out")
"""Ids of the steps that a flow that judges sensors has too."""


Stream = Literal["rejects", "values", "area_values", "alerts", "incidents", "scored", "anomalies", "faults"]
"""The streams that can be tapped; ``area_values`` are the values of the area step alone, without cells.

``scored`` are the values with scores, which come with ``anomalies`` in a flow that has the sink for them.
"""


@dataclass(frozen=True, slots=True)
class Tap:
    """A further sink on one of the flow's streams; its step id must stay as it is, like those of `STEPS`.

    Items are keyed: ``(key, rejects | ValueFrame | transitions | incidents | anomalies)``.
    """

    step: str
    stream: Stream
    sink: Sink[Any]


@dataclass(frozen=True, slots=True)
class Ends:
    """Everything the flow touches outside itself; a live engine's doors add ``taps`` and ``feedback``.

    Without a sink for ``anomalies`` nothing is scored, without one for ``faults`` no sensor is judged;
    several processes have a ``beat``.
    """

    records: Parts
    control: Parts
    rejects: Sink[Any]
    values: Sink[Any]
    alerts: Sink[Any]
    incidents: Sink[Any]
    taps: tuple[Tap, ...] = ()
    feedback: Parts | None = None
    anomalies: Sink[Any] | None = None
    faults: Sink[Any] | None = None
    beat: Beat | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """Builders of the keyed steps' logic: resume state or None -> logic."""

    cases: Callable[[Any], op.StatefulBatchLogic[Any, Any, Any]]
    shards: Callable[[Any], op.StatefulBatchLogic[Any, Any, Any]]
    areas: Callable[[Any], op.StatefulBatchLogic[Any, Any, Any]]
    incidents: Callable[[Any], op.StatefulBatchLogic[Any, Any, Any]]
    scores: Callable[[Any], op.StatefulBatchLogic[Any, Any, Any]] | None = None
    sensors: Callable[[Any], op.StatefulBatchLogic[Any, Any, Any]] | None = None


Keyed = tuple[str, Item]


def _for(step: str) -> Callable[[list[Item]], Iterable[Keyed]]:
    def select(items: list[Item]) -> Iterable[Keyed]:
        return [(item.key, item) for item in items if item.step == step]

    return select


def _refused(items: list[Item]) -> Iterable[tuple[str, Any]]:
    return [(item.key, item.piece) for item in items if item.step == "reject"]


def _from(step: str) -> Callable[[list[tuple[str, Item]]], Iterable[Keyed]]:
    def select(items: list[tuple[str, Item]]) -> Iterable[Keyed]:
        return [(item.key, item) for _, item in items if item.step == step]

    return select


def _out(step: str) -> Callable[[list[tuple[str, Item]]], Iterable[tuple[str, Any]]]:
    def select(items: list[tuple[str, Item]]) -> Iterable[tuple[str, Any]]:
        return [(item.key, item.piece) for _, item in items if item.step == step]

    return select


def _by_sender(items: list[tuple[str, Item]]) -> Iterable[Keyed]:
    """Values, those that are not published too, and clocks, under the key of the part they come from."""
    for _, item in items:
        if item.step in {"value", "past"}:
            yield item.key, item
        elif item.step == "alert":
            yield item.piece.sender, item


def _watched(ends: Ends, steps: Steps, inputs: Flowing[Item]) -> list[KeyedStream[Any]]:
    """The stream of those who judge sensors, if there are any."""
    if ends.faults is None or steps.sensors is None:
        return []
    to_sensors = op.flat_map_batch("to_sensors", inputs, _for("shard"))  # (shard lane, ShardPiece)
    return [op.stateful_batch("sensors", to_sensors, steps.sensors)]


def build(ends: Ends, steps: Steps) -> Dataflow:
    """The graph; nothing runs yet."""
    flow = Dataflow("city")
    more = [] if ends.feedback is None else [ends.feedback]
    inputs = op.input("records", flow, JointSource(ends.records, ends.control, *more, beat=ends.beat))  # Item
    rejects = op.flat_map_batch("to_rejects", inputs, _refused)  # (part, [Rejected])
    to_cases = op.flat_map_batch("to_cases", inputs, _for("case"))  # (case lane, CasePiece)
    placed = op.stateful_batch("cases", to_cases, steps.cases)  # (case lane, Item)
    to_shards = op.flat_map_batch("to_shards", inputs, _for("shard"))  # (shard lane, ShardPiece)
    from_cases = op.flat_map_batch("shard_in", placed, _from("shard"))  # (shard lane, PlacedCases)
    watched = _watched(ends, steps, inputs)  # (shard lane, Item)
    orders = [op.flat_map_batch("to_orders", one, _from("shard")) for one in watched]  # OrdersPiece
    shard_in = op.merge("shards_merged", to_shards, from_cases, *orders)
    judged = op.stateful_batch("shards", shard_in, steps.shards)  # (shard lane, Item)
    to_areas = op.flat_map_batch("to_areas", judged, _from("area"))  # ("city", AreaPiece)
    merged = op.stateful_batch("areas", to_areas, steps.areas)  # ("city", Item)
    published = op.merge("published", judged, merged)
    values = op.flat_map_batch("to_values", published, _out("value"))  # (part, ValueFrame)
    moves = op.flat_map_batch("to_incidents", published, _from("alert"))  # ("city", Moves)
    feedback = op.flat_map_batch("to_feedback", inputs, _for("feedback"))  # ("city", FeedbackPiece)
    wrong = [op.flat_map_batch("to_fault_alerts", one, _from("alert")) for one in watched]  # Moves
    to_incidents = op.merge("incidents_in", moves, feedback, *wrong)
    handled = op.stateful_batch("incidents", to_incidents, steps.incidents)  # ("city", Item)
    alerts = op.flat_map_batch("to_alerts", handled, _out("alert"))  # (part, [Transition])
    incidents = op.flat_map_batch("to_incident_lines", handled, _out("incident"))  # (part, [Incident])
    refused = op.flat_map_batch("to_refused", handled, _out("reject"))  # (part, [Rejected])
    rejects = op.merge("refused", rejects, refused)

    op.output("rejects_out", rejects, ends.rejects)
    op.output("values_out", values, ends.values)
    op.output("alerts_out", alerts, ends.alerts)
    op.output("incidents_out", incidents, ends.incidents)
    streams: dict[Stream, Any] = {
        "rejects": rejects,
        "values": values,
        "alerts": alerts,
        "incidents": incidents,
    }
    if ends.anomalies is not None and steps.scores is not None:
        to_scores = op.flat_map_batch("to_scores", published, _by_sender)  # (part, Item)
        scores = op.stateful_batch("scores", to_scores, steps.scores)  # (part, Item)
        streams["anomalies"] = op.flat_map_batch("to_anomalies", scores, _out("anomaly"))
        op.output("anomalies_out", streams["anomalies"], ends.anomalies)
        if any(tap.stream == "scored" for tap in ends.taps):
            streams["scored"] = op.flat_map_batch("to_scored", scores, _out("scored"))
    for one in watched:
        streams["faults"] = op.flat_map_batch("to_faults", one, _out("fault"))  # ("city", [SensorFault])
        if ends.faults is not None:
            op.output("faults_out", streams["faults"], ends.faults)
    if any(tap.stream == "area_values" for tap in ends.taps):
        streams["area_values"] = op.flat_map_batch("to_area_values", merged, _out("value"))
    for tap in ends.taps:
        op.output(tap.step, streams[tap.stream], tap.sink)
    return flow
