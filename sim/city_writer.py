"""A city as a folder of files that a replay reads, and what has happened in it.

readings.jsonl   events.jsonl   sensors.csv   areas.geojson   truth.jsonl   city.toml
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from geo.coordinates import from_wgs84
from sim.arrivals import Arrivals
from sim.city import City
from sim.reading_files import FORMATS, Format, reading_file, registry
from sim.readings import Block, Readings
from sim.regions import CITY

NAMES = (
    *(f"readings.{file_format}" for file_format in FORMATS),
    *("events.jsonl", "truth.jsonl", "faults.jsonl", "sensors.csv", "areas.geojson", "city.toml"),
)
"""Every file a city may have; what an earlier city has left in the folder goes."""

Progress = Callable[[int, int, int], None]
"""Called with the time simulated so far, the time in all (both ms), the readings written."""


@dataclass(frozen=True, slots=True)
class Written:
    """What has been written: numbers of rows, and how long it took."""

    readings: int
    events: int
    sensors: int
    truth: int
    bytes: int
    seconds: float
    readings_per_second: int


@dataclass(frozen=True, slots=True, eq=False)
class Happenings:
    """What is added to a city's own readings when it is written.

    ``events`` are the transitions of all cases (wire columns, by time) or None; ``faulty`` spoils blocks on
    their way; ``misplaced`` int64 are the devices whose registered place is GCJ-02 though it is called WGS84;
    ``faults`` are the lines of ``faults.jsonl``, the truth about faulty devices, or None.
    """

    events: pl.DataFrame | None = None
    faulty: Callable[[Block], Block] | None = None
    misplaced: NDArray[np.int64] | None = None
    faults: Iterable[Mapping[str, Any]] | None = None


def write_city(  # noqa: PLR0913 - what is written, where to, and how
    city: City,
    to: Path,
    happenings: Happenings | None = None,
    *,
    file_format: Format = "jsonl",
    speed: float | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a city into a folder, made if need be; an earlier city in it is replaced.

    ``speed``: so many times as fast as the city lives; None is as fast as possible.

    Raises:
        OSError: the folder cannot be written to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write_city(City(seed=1, sensors=100, hours=0.1), Path(folder))
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['areas.geojson', 'city.toml', 'events.jsonl', 'readings.jsonl', 'sensors.csv', 'truth.jsonl']
    """
    began = time.perf_counter()
    extra = happenings or Happenings()
    files = f'[files]\nreadings = ["readings.{file_format}"]\nevents = ["events.jsonl"]\n'
    truth = write_surroundings(city, to, extra, files)
    readings, events = 0, 0
    lines = (to / "events.jsonl").open("w", encoding="utf-8")
    with lines, reading_file(to, file_format, city.devices.sensor_ids) as file:
        for until, arrived, cases in paced(records(city, extra), city.start, speed):
            _write_rows(lines, cases)
            lines.flush()
            file.write(arrived)
            readings, events = readings + len(arrived), events + len(cases)
            if progress:
                progress(until - city.start, city.end - city.start, readings)
    seconds = time.perf_counter() - began
    size = (to / f"readings.{file_format}").stat().st_size
    rate = round(readings / seconds)
    return Written(readings, events, len(city.devices), truth, size, round(seconds, 3), rate)


Turn = tuple[int, Readings, list[dict[str, Any]]]
"""The end of a block (ms), the readings that have arrived by then, the records of cases before it."""


def records(city: City, extra: Happenings) -> Iterator[Turn]:
    """Yield what has arrived by the end of every block; what is then still on its way comes last."""
    arrivals, written = Arrivals(), 0
    events = pl.DataFrame({"ts": []}, schema={"ts": pl.Int64}) if extra.events is None else extra.events
    ts = events["ts"].to_numpy()
    for block in city.blocks():
        arrived = arrivals.by(extra.faulty(block) if extra.faulty else block)
        if block.end == city.end:
            arrived = Readings.joined([arrived, arrivals.rest()])
        before, written = written, int(np.searchsorted(ts, block.end))
        yield block.end, arrived, list(_rows(events[before:written]))


def paced(turns: Iterable[Turn], start: int, speed: float | None) -> Iterator[Turn]:
    """The same, so many times as fast as the city lives from ``start`` (ms) on; None: at once."""
    began = time.perf_counter()
    for turn in turns:
        yield turn
        if speed:
            ahead = (turn[0] - start) / 1000 / speed - (time.perf_counter() - began)
            time.sleep(max(0.0, ahead))


def write_surroundings(city: City, to: Path, extra: Happenings, inputs: str) -> int:
    """Write all that does not come bit by bit; return the number of events in the truth.

    ``inputs``: the sections of ``city.toml`` that say where the records come from. What an earlier city has
    left in the folder goes.

    Raises:
        OSError: the folder cannot be written to.
    """
    to.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (to / name).unlink(missing_ok=True)
    _write_registry(city, to / "sensors.csv", extra.misplaced)
    areas = json.dumps(city.regions.geojson(), ensure_ascii=False, separators=(",", ":"))
    (to / "areas.geojson").write_text(areas + "\n", encoding="utf-8")
    (to / "city.toml").write_text(_configuration(city) + inputs, encoding="utf-8")
    if extra.faults is not None:
        with (to / "faults.jsonl").open("w", encoding="utf-8") as file:
            _write_rows(file, extra.faults)
    truth = [asdict(event) for script in city.scripts for event in script.truth]
    with (to / "truth.jsonl").open("w", encoding="utf-8") as file:
        _write_rows(file, truth)
    return len(truth)


def _write_registry(city: City, path: Path, misplaced: NDArray[np.int64] | None) -> None:
    devices = city.devices
    lon, lat = devices.lon.copy(), devices.lat.copy()
    if misplaced is not None and len(misplaced):
        shifted = from_wgs84(lon[misplaced], lat[misplaced], "gcj02")
        lon[misplaced], lat[misplaced] = shifted[0].round(6), shifted[1].round(6)
    site = pl.Series(city.regions.streets.name_zh).gather(devices.street)
    registry(devices.sensor_ids, lon, lat, site).write_csv(path)


def _rows(frame: pl.DataFrame) -> Iterable[dict[str, Any]]:
    """Rows without their null fields, as the wire format wants optional fields."""
    return ({k: v for k, v in row.items() if v is not None} for row in frame.iter_rows(named=True))


def _write_rows(file: TextIO, rows: Iterable[Mapping[str, Any]]) -> None:
    file.writelines(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def _configuration(city: City) -> str:
    """The head of ``city.toml``, as ``yiwang run`` takes it: which city this is, and its files beside it."""
    return (
        f"# A simulated city: seed {city.seed}, {city.sensors} sensors, {city.hours:g} hours.\n"
        "[city]\n"
        f'id = "{CITY["id"]}"  # {CITY["name_zh"]}\n'
        f'tz = "{city.tz}"\n'
        'sensors = "sensors.csv"\n'
        'areas = "areas.geojson"\n\n'
    )
