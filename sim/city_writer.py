"""A city as a folder of files that a replay reads, and what has happened in it.

readings.jsonl   events.jsonl   sensors.csv   areas.geojson   truth.jsonl   city.toml
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from geo.coordinates import from_wgs84
from sim.arrivals import Arrivals
from sim.city import City
from sim.reading_files import FORMATS, Format, reading_file, registry
from sim.readings import Block
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
    ``faults`` are the lines of ``faults.jsonl``, the truth about faulty devices.
    """

    events: pl.DataFrame | None = None
    faulty: Callable[[Block], Block] | None = None
    misplaced: NDArray[np.int64] | None = None
    faults: Iterable[Mapping[str, Any]] = ()


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
    to.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (to / name).unlink(missing_ok=True)
    _write_registry(city, to / "sensors.csv", extra.misplaced)
    areas = json.dumps(city.regions.geojson(), ensure_ascii=False, separators=(",", ":"))
    (to / "areas.geojson").write_text(areas + "\n", encoding="utf-8")
    (to / "city.toml").write_text(_configuration(city, file_format), encoding="utf-8")
    events = 0 if extra.events is None else _write_rows(to / "events.jsonl", _rows(extra.events))
    if extra.events is None:
        (to / "events.jsonl").write_bytes(b"")
    truth = _write_rows(to / "truth.jsonl", (asdict(t) for script in city.scripts for t in script.truth))
    if extra.faulty is not None:
        _write_rows(to / "faults.jsonl", extra.faults)
    readings = _write_readings(city, to, extra.faulty, file_format, speed, progress)
    seconds = time.perf_counter() - began
    size = (to / f"readings.{file_format}").stat().st_size
    return Written(
        readings, events, len(city.devices), truth, size, round(seconds, 3), round(readings / seconds)
    )


def _write_readings(  # noqa: PLR0913, PLR0917 - the ends of a pipe
    city: City,
    to: Path,
    faulty: Callable[[Block], Block] | None,
    file_format: Format,
    speed: float | None,
    progress: Progress | None,
) -> int:
    arrivals, written, began = Arrivals(), 0, time.monotonic()
    with reading_file(to, file_format, city.devices.sensor_ids) as file:
        for block in city.blocks():
            arrived = arrivals.by(faulty(block) if faulty else block)
            file.write(arrived)
            written += len(arrived)
            if progress:
                progress(block.end - city.start, city.end - city.start, written)
            if speed:
                time.sleep(max(0.0, (block.end - city.start) / 1000 / speed - (time.monotonic() - began)))
        rest = arrivals.rest()
        file.write(rest)
    return written + len(rest)


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


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            written += 1
    return written


def _configuration(city: City, file_format: Format) -> str:
    """The text of ``city.toml``: which city this is, and its files, beside it."""
    return (
        f"# A simulated city: seed {city.seed}, {city.sensors} sensors, {city.hours:g} hours.\n"
        "[city]\n"
        f'id = "{CITY["id"]}"\n'
        f'name_zh = "{CITY["name_zh"]}"\n'
        f'tz = "{city.tz}"\n\n'
        "[inputs]\n"
        f'readings = "readings.{file_format}"\n'
        'events = "events.jsonl"\n'
        'sensors = "sensors.csv"\n'
        'areas = "areas.geojson"\n'
    )
