"""Leaks in a water network: how soon each is found, by its size, and what is found where there is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from indicators.detector import Detector
from indicators.hour_of_week import HourOfWeek
from indicators.network_detector import NetworkDetector

Floats = NDArray[np.float64]

DRIVERS = ("F_PUMP_1", "F_p227", "F_p235")
SOON_HOURS = 72.0
"""An alarm so soon after a leak's beginning is that leak's; any other is false, also of a growing leak."""

HEADER = ("leak", "m³/h", "found after, h", "sensor named", "m from the leak", "single series, h")


@dataclass(frozen=True, slots=True)
class Leak:
    """A pipe that breaks at a ``row``; its flow a day later, m³/h, and where it is, m."""

    pipe: str
    row: int
    flow: float
    place: Floats


@dataclass(frozen=True, slots=True)
class Network:
    """``pressures`` [n, M] of ``sensors`` at ``places`` [M, 2] m, ``flows`` [n, 3], ``stamps``, ``leaks``."""

    sensors: list[str]
    places: Floats
    pressures: Floats
    flows: Floats
    stamps: NDArray[np.datetime64]
    leaks: list[Leak]


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of a row, and the number of the sensor it names."""

    row: int
    sensor: int


def windows(folder: Path) -> list[str]:
    """Names of the recordings there are: of files ``scada_NAME.csv.gz``."""
    return sorted(path.name[len("scada_") : -len(".csv.gz")] for path in folder.glob("scada_*.csv.gz"))


def read_network(folder: Path, window: str) -> Network:
    """Read a recording, and the leaks that begin abruptly within it."""
    table = pl.read_csv(folder / f"scada_{window}.csv.gz", try_parse_dates=True)
    places = pl.read_csv(folder / "sensors.csv")
    sensors = [name for name in table.columns if name.startswith("P_")]
    where = {name: (x, y) for name, _, x, y in places.iter_rows()}
    stamps = table["timestamp"].dt.cast_time_unit("ms").to_numpy()
    pressures, flows = table.select(sensors).to_numpy(), table.select(DRIVERS).to_numpy()
    leaks = list(_leaks(folder, window, stamps))
    return Network(sensors, np.array([where[s] for s in sensors]), pressures, flows, stamps, leaks)


def _leaks(folder: Path, window: str, stamps: NDArray[np.datetime64]) -> Iterator[Leak]:
    labels = pl.read_csv(folder / f"leak_labels_{window}.csv", try_parse_dates=True)
    truth = pl.read_csv(folder / f"leak_flow_m3h_{window}.csv.gz")
    for label in labels.filter(type="abrupt").sort("start").iter_rows(named=True):
        row = int(np.searchsorted(stamps, np.datetime64(label["start"])))
        if 0 < row < len(stamps):
            flow = float(truth[label["link"]][min(row + 288, len(stamps) - 1)])
            yield Leak(label["link"], row, flow, np.array([label["x"], label["y"]]))


def network_alarms(network: Network) -> list[Alarm]:
    """Alarms of the network as a whole: pressures explained by flows."""
    detector, alarms = NetworkDetector(len(network.sensors), len(DRIVERS)), []
    for row, (pressures, flows) in enumerate(zip(network.pressures, network.flows, strict=True)):
        verdict = detector.update(pressures, flows)
        if verdict and verdict.alarm:
            alarms.append(Alarm(row, verdict.member))
    return alarms


def single_alarms(network: Network, budget: float = 10.0) -> list[Alarm]:
    """Alarms of every sensor by itself, flows included (numbers behind those of the pressures)."""
    values = np.hstack([network.pressures, network.flows])
    detector, slots = Detector(values.shape[1], false_alarms=budget), HourOfWeek().of_local(network.stamps)
    return [
        Alarm(row, int(sensor))
        for row, (readings, slot) in enumerate(zip(values, slots.tolist(), strict=True))
        for sensor in np.flatnonzero(detector.update(readings, slot).alarm)
    ]


def hours_to(leak: Leak, alarms: list[Alarm]) -> tuple[float, Alarm | None]:
    """Hours from a leak to its alarm; infinity without one within :data:`SOON_HOURS`."""
    for alarm in alarms:
        hours = (alarm.row - leak.row) / 12
        if 0 <= hours <= SOON_HOURS:
            return hours, alarm
    return np.inf, None


def false_alarms(network: Network, alarms: list[Alarm]) -> int:
    """How many alarms no leak explains."""
    begins = [leak.row for leak in network.leaks]
    return sum(not any(0 <= (a.row - row) / 12 <= SOON_HOURS for row in begins) for a in alarms)


def rows(network: Network, alarms: list[Alarm], single: list[Alarm]) -> Iterator[tuple[str, ...]]:
    """A row of each leak."""
    for leak in network.leaks:
        hours, alarm = hours_to(leak, alarms)
        alone, _ = hours_to(leak, single)
        sensor, distance = "", ""
        if alarm:
            sensor = network.sensors[alarm.sensor]
            distance = f"{np.linalg.norm(network.places[alarm.sensor] - leak.place):.0f}"
        yield (leak.pipe, f"{leak.flow:.1f}", _shown(hours), sensor, distance, _shown(alone))


def remark(network: Network, alarms: list[Alarm], single: list[Alarm]) -> str:
    """False alarms a week, and the median time to detect."""
    weeks = len(network.stamps) / 2016
    hours = np.median([hours_to(leak, alarms)[0] for leak in network.leaks])
    one, other = (false_alarms(network, a) / weeks for a in (alarms, single))
    return (
        f"Median time to detect {hours:.1f} h; false alarms a week over the whole network: {one:.2f}"
        f" (every sensor by itself: {other:.2f})."
    )


def _shown(hours: float) -> str:
    return f"{hours:.1f}" if np.isfinite(hours) else "not found"
