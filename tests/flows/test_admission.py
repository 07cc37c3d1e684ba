"""The door of a partition of readings, by example: what R4 to R7, R10 and C-2.1 promise."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.admission.name_table import NameTable
from flows.admission.readings import VERSION, ReadingAdmission
from flows.admission.registry import Registry, read_registry
from flows.admission.roll import Roll
from flows.batches import FINAL, ReadingBatch
from flows.decoding.decode import decode_readings
from flows.decoding.provenance import Admitted, Origin, json_records
from geo.cells import BeidouGrid
from indicators.metrics import Metrics

METRICS, GRID = Metrics.load(), BeidouGrid()
SLICES = np.full(len(METRICS.metrics), 60_000)
T0, HOUR = 1_719_964_800_000, 3_600_000
HERE: dict[str, Any] = {"lon": 114.3, "lat": 30.6}
THERE: dict[str, Any] = {"lon": 114.4, "lat": 30.6}


def reading(
    ts: int, value: float = 1.0, sensor: str = "s", metric: str = "road_speed", **more: Any
) -> dict[str, Any]:
    return {"sensor_id": sensor, "metric": metric, "value": value, "ts": T0 + ts, **more}


def door(registry: Registry | None = None, **more: Any) -> ReadingAdmission:
    return ReadingAdmission(METRICS, SLICES, GRID, Roll.of(registry, GRID), 0, **more)


def offer(admission: ReadingAdmission, *records: dict[str, Any] | list[Any]) -> Admitted[ReadingBatch]:
    messages = [json.dumps(record).encode() for record in records]
    readings, refused = decode_readings(messages)
    offsets = 100 + np.arange(len(messages))
    return admission.admit(readings, Origin("f", 0, offsets, json_records(messages), 7), refused)


def started(registry: Registry | None = None) -> ReadingAdmission:
    """A partition whose clock stands at T0 and whose sensor "s" is at ``HERE``."""
    admission = door(registry)
    offer(admission, *[reading(0, n, **HERE) for n in range(6)])
    assert admission.maximum == T0
    return admission


def sensor_keys(*names: str) -> list[int]:
    return [int(key) for key in NameTable(names).keys(np.arange(len(names)))]


def reasons(admitted: Admitted[ReadingBatch]) -> list[tuple[int, int, str]]:
    return [(r.offset, r.index, r.reason) for r in admitted.rejects]


def registry_of(tmp_path: Path, *lines: str) -> Registry:
    path = tmp_path / "sensors.csv"
    path.write_text("\n".join(["sensor_id,lon,lat,metric,period_s,retired", *lines]))
    registry, problems = read_registry(path)
    assert not problems
    return registry


def test_a_sensor_registers_itself_and_is_nowhere_before() -> None:
    admission = started()
    got = offer(
        admission, reading(1, sensor="new"), reading(2, sensor="new", **THERE), reading(3, 2.0, sensor="new")
    )
    assert reasons(got) == [(100, 0, "unknown_location")]
    assert got.new is not None
    assert got.new.sensor_key.tolist() == sensor_keys("new")
    assert GRID.text(got.new.cell) == GRID.text(GRID.cells([114.4], [30.6]))
    assert got.batch.series.tolist() == [got.new.index[0]] * 2


def test_a_place_serves_all_metrics_of_its_sensor() -> None:
    got = offer(started(), reading(1, metric="bin_fill"))
    assert len(got.batch) == 1


def test_a_sensor_that_moves_is_another_series_and_the_old_one_when_it_returns() -> None:
    admission = started()
    got = offer(admission, reading(1, 9, **THERE), reading(2, 9), reading(3, 9, **HERE), reading(4, 9))
    assert got.batch.series.tolist() == [1, 1, 0, 0]


def test_the_registry_knows_better_than_the_sensor(tmp_path: Path) -> None:
    admission = door(registry_of(tmp_path, "s,114.4,30.6,,,"))
    offer(admission, reading(0, **HERE))
    new = admission.finish().new
    assert new is not None
    assert GRID.text(new.cell) == GRID.text(GRID.cells([114.4], [30.6]))


def test_silent_registered_sensors_are_announced_before_any_data(tmp_path: Path) -> None:
    admission = door(
        registry_of(tmp_path, "a,114.3,30.6,bin_fill,30,2030-01-01", "b,114.3,30.6,,,", "c,114.3,30.6,nope,,")
    )
    new = admission.announce()
    assert new is not None
    assert new.sensor_key.tolist() == sensor_keys("a")
    assert (new.registered.tolist(), new.period.tolist()) == ([True], [30_000])
    assert new.retired[0] < FINAL
    assert admission.announce() is None


@pytest.mark.parametrize("moving", [False, True], ids=["made-up sensors", "a sensor moved about"])
def test_a_partition_cannot_fill_the_memory_with_sensors_of_its_own(
    tmp_path: Path,
    moving: bool,  # noqa: FBT001 - a case
) -> None:
    admission = door(registry_of(tmp_path, *(f"known-{n},114.3,30.6,,," for n in range(9))), most=3)
    offer(admission, *[reading(0, n, **HERE) for n in range(6)])
    sizes = []
    for turn in range(4):
        names = ["s" if moving else f"made-up-{turn}-{n}" for n in range(40)]
        places: list[dict[str, Any]] = [{"lon": 115.0 + turn + n / 50, "lat": 30.6} for n in range(40)]
        flood = [reading(1, turn + 1, sensor=s, **at) for s, at in zip(names, places, strict=True)]
        got = offer(
            admission, [*flood, reading(1, turn, sensor=f"known-{turn}"), reading(1, turn + 50, **HERE)]
        )
        refused = 38 if turn == 0 else 40
        assert {(r.reason, r.offset) for r in got.rejects} == {("too_many_series", 100)}
        assert [json.loads(r.raw) for r in got.rejects] == flood[40 - refused :]
        assert len(got.batch) == 42 - refused
        sizes.append(len(pickle.dumps(admission.state())))
    assert admission.tally.rejected == {"too_many_series": 158}
    assert max(sizes) - sizes[0] < 1_000, "what is refused leaves nothing behind"


def test_an_out_of_range_reading_is_rejected_once_and_counts_in_its_cell() -> None:
    got = offer(started(), reading(30_000, 1e6), reading(30_000, 1e6, sensor="nowhere"))
    assert reasons(got) == [(100, 0, "out_of_range"), (101, 0, "unknown_location")]
    assert got.strays is not None
    assert got.strays.cell.tolist() == GRID.cells([114.3], [30.6]).tolist()
    assert got.strays.effective.tolist() == [T0 + HOUR]


def test_the_range_holds_its_ends() -> None:
    got = offer(started(), reading(1, 0.0), reading(2, 200.0), reading(3, 200.000_001), reading(4, -1e-9))
    assert [row for row, _, _ in reasons(got)] == [102, 103]


@pytest.mark.parametrize(
    ("metric", "behind", "late", "reason"),
    [
        pytest.param("road_speed", 10_000, 0, None, id="in time"),
        pytest.param("road_speed", 10_001, 1, None, id="late"),
        pytest.param("road_speed", 10_000 + HOUR, 1, None, id="late to the last"),
        pytest.param("road_speed", 10_001 + HOUR, 0, "too_late", id="too late"),
        pytest.param("water_do", 10_000 + 48 * HOUR, 1, None, id="slow metrics have two days"),
        pytest.param("water_do", 10_001 + 48 * HOUR, 0, "too_late", id="and no more"),
    ],
)
def test_lateness_is_measured_from_the_running_maximum(
    metric: str, behind: int, late: int, reason: str | None
) -> None:
    got = offer(started(), reading(-behind, 5, metric=metric))
    assert got.late == late
    assert [r for _, _, r in reasons(got)] == ([reason] if reason else [])


def test_a_late_reading_takes_effect_at_the_first_slice_end_after_the_watermark() -> None:
    got = offer(started(), reading(-600_000, 5), reading(-5_000, 5))
    assert got.batch.effective.tolist() == [T0, T0]
    assert got.batch.grid.tolist() == [T0, T0]


def test_one_bad_element_of_an_array_costs_nobody_but_itself() -> None:
    got = offer(started(), [reading(1, 9), reading(2, metric="nope"), reading(3, 9)])
    assert reasons(got) == [(100, 1, "unknown_metric")]
    assert json.loads(got.rejects[0].raw)["metric"] == "nope"
    assert len(got.batch) == 2


def test_repeats_are_counted_and_corrections_pass() -> None:
    admission = started()
    got = offer(admission, reading(1, 7.0), reading(1, 7.000_000_4), reading(1, 8.0))
    assert got.batch.value.tolist() == [7_000_000, 8_000_000]
    assert got.duplicates == admission.tally.duplicates == 1


def test_a_held_record_is_rejected_with_the_bytes_of_an_earlier_batch() -> None:
    admission = started()
    assert not len(offer(admission, reading(400 * 24 * HOUR, 5)).batch)
    assert admission.held == 1
    admission = door(state=pickle.loads(pickle.dumps(admission.state())))  # noqa: S301 - our own bytes
    got = offer(admission, *[reading(n, 5) for n in range(1, 6)])
    assert reasons(got) == [(100, 0, "future_time")]
    assert json.loads(got.rejects[0].raw)["ts"] == T0 + 400 * 24 * HOUR
    assert len(got.batch) == 5
    assert admission.held == admission.tally.held == 0


def test_a_state_survives_metrics_that_are_numbered_anew() -> None:
    admission = started()
    offer(admission, reading(1, metric="bin_fill"), reading(1, metric="noise_laeq", value=50))
    kept = [m for m in METRICS.metrics if m.code != "noise_laeq"]
    renumbered = Metrics.of([*kept[::-1], *METRICS.events])
    slices = np.full(len(renumbered.metrics), 60_000)
    resumed = ReadingAdmission(renumbered, slices, GRID, Roll.empty(), 0, state=admission.state())
    assert resumed.announce() is not None  # the series whose metric is gone has lost its period
    got = offer(resumed, reading(2, 3, metric="bin_fill"), reading(2, 50, metric="noise_laeq"), reading(2, 3))
    assert got.batch.series.tolist() == [1, 0]
    assert got.new is None
    assert [r for _, _, r in reasons(got)] == ["unknown_metric"]


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match=f"state must be of version {VERSION}, found 0"):
        door(state={**door().state(), "version": 0})


@pytest.mark.parametrize("slices", [SLICES[1:], 0 * SLICES])
def test_slices_must_fit_the_metrics(slices: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    with pytest.raises(ValueError, match="lengths above 0 ms"):
        ReadingAdmission(METRICS, slices, GRID, Roll.empty(), 0)


def test_the_state_is_small() -> None:
    admission, count = started(), 5_000
    for start in range(0, count, 1_000):
        offer(admission, *[reading(n, sensor=f"s-{n:06d}", **HERE) for n in range(start, start + 1_000)])
    assert len(pickle.dumps(admission.state())) < 256 * count
