"""Make the sample city that is shipped in ``sim/sample``: ``python -m sim.make_sample``.

An afternoon of the simulated city, 13:45 to 17:05, 300 devices; a rainstorm comes in the last hour, gas leaks
before. Of the areas, only those in which devices stand, and the districts, are kept: the sample is small.
"""

import gzip
import json
import tempfile
from pathlib import Path

import numpy as np

from sim.city import START
from sim.disorder import Disorder
from sim.scenarios.casting import asked
from sim.simulation import Simulation

SAMPLE = Path(__file__).parent / "sample"
"""Where the shipped sample lies."""

SEED = 420103
SENSORS = 300
BEGIN = START + 13 * 3_600_000 + 45 * 60_000
"""2026-03-02 13:45 in Wuhan, in ms."""

MINUTES = 200
SCENARIOS = ("rainstorm:start=130m,duration=65m,intensity=2", "gas_leak:start=50m,duration=40m")


def sample_city() -> Simulation:
    """Return the sample: a few of its readings are late, double and faulty."""
    requests = tuple(asked(text) for text in SCENARIOS)
    disorder = Disorder(SEED, late=0.004, duplicates=0.003, faulty=0.002)
    return Simulation(SEED, SENSORS, BEGIN, MINUTES / 60, requests=requests, disorder=disorder)


def write_sample(to: Path) -> None:
    """Write ``readings.jsonl.gz``, ``events.jsonl``, ``sensors.csv``, ``areas.geojson``, ``truth.jsonl``."""
    to.mkdir(parents=True, exist_ok=True)
    simulation = sample_city()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        simulation.write(made)
        for name in ("events.jsonl", "sensors.csv", "truth.jsonl"):
            (to / name).write_bytes((made / name).read_bytes())
        # Without name and time in the header the same readings give the same file.
        lines = (made / "readings.jsonl").read_bytes()
        (to / "readings.jsonl.gz").write_bytes(gzip.compress(lines, compresslevel=9, mtime=0))
    (to / "areas.geojson").write_text(sample_areas(simulation), encoding="utf-8")


def sample_areas(simulation: Simulation) -> str:
    """Return the GeoJSON text of the areas that hold devices, and of all districts."""
    city = simulation.city
    areas = city.regions.geojson()
    held = {
        level.code[i]
        for level, own in (
            (city.regions.communities, city.devices.community),
            (city.regions.streets, city.devices.street),
        )
        for i in np.unique(own).tolist()
    }
    features = [
        feature
        for feature in areas["features"]
        if feature["properties"]["kind"] in {"city", "district"} or feature["properties"]["id"] in held
    ]
    return json.dumps(areas | {"features": features}, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    write_sample(SAMPLE)
