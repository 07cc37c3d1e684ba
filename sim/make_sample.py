"""Make the sample city that is shipped in ``sim/sample``: ``python -m sim.make_sample``.

Three districts of Wuhan in an afternoon of the rainy season, 13:45 to 17:05, 200 devices, some two hundred
cases; the storm comes in the last hour. The areas are rectangles that stand in the right order along the
river and carry the real names and codes: approximate on purpose, no boundary is to be read from them.
"""

import gzip
import json
from pathlib import Path

from sim.city_files import write_records
from sim.random_city import Box, Disorder, RandomCity, random_city

SAMPLE = Path(__file__).parent / "sample"
"""Where the shipped sample lies."""

SEED = 420103
START = 1_719_985_500_000
"""2024-07-03 13:45 in Wuhan, in ms."""

MINUTES = 200
WEST, MIDDLE, EAST = 114.28, 114.32, 114.36

DISTRICTS = (
    ("420102", "江岸区", "Jiang'an", 30.58, 30.62),
    ("420106", "武昌区", "Wuchang", 30.53, 30.58),
    ("420111", "洪山区", "Hongshan", 30.48, 30.53),
)
"""adcode, names, southern and northern edge."""

STREETS = (
    ("420102002", "大智街道", "Dazhi", "420102", WEST),
    ("420102003", "一元街道", "Yiyuan", "420102", MIDDLE),
    ("420106005", "粮道街道", "Liangdao", "420106", WEST),
    ("420106013", "珞珈山街道", "Luojiashan", "420106", MIDDLE),
    ("420111001", "珞南街道", "Luonan", "420111", WEST),
    ("420111008", "和平街道", "Heping", "420111", MIDDLE),
)
"""code, names, district, western edge."""


def sample_city() -> RandomCity:
    """Return the sample's records: 200 devices, 200 minutes, a few late, double and faulty readings."""
    return random_city(
        sensors=200,
        minutes=MINUTES,
        seed=SEED,
        start=START,
        box=Box(WEST + 0.002, 30.482, EAST - 0.002, 30.618),
        disorder=Disorder(late=0.004, duplicates=0.003, faulty=0.002),
        cases=220,
        rain=2.4,
    )


def sample_areas() -> str:
    """Return the GeoJSON text of the districts and streets."""
    features = [
        _rectangle(
            {"id": code, "name_zh": zh, "name_en": en, "kind": "district", "parent": "city"},
            WEST,
            EAST,
            south,
            north,
        )
        for code, zh, en, south, north in DISTRICTS
    ]
    edges = {code: (south, north) for code, _, _, south, north in DISTRICTS}
    features += [
        _rectangle(
            {"id": code, "name_zh": zh, "name_en": en, "kind": "street", "parent": district},
            west,
            MIDDLE if west == WEST else EAST,
            *edges[district],
        )
        for code, zh, en, district, west in STREETS
    ]
    collection = {
        "type": "FeatureCollection",
        "name": "Approximate rectangles carrying real names and codes; not boundaries",
        "features": features,
    }
    return json.dumps(collection, ensure_ascii=False, indent=1) + "\n"


def _rectangle(
    properties: dict[str, str], west: float, east: float, south: float, north: float
) -> dict[str, object]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": properties | {"approximate": "rectangle"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def write_sample(to: Path) -> None:
    """Write ``readings.jsonl.gz``, ``events.jsonl``, ``sensors.csv``, ``areas.geojson`` into ``to``."""
    to.mkdir(parents=True, exist_ok=True)
    city = sample_city()
    city.sensors.write_csv(to / "sensors.csv")
    write_records(city.events, to / "events.jsonl")
    (to / "areas.geojson").write_text(sample_areas(), encoding="utf-8")
    lines = city.readings.write_ndjson().encode()
    # Without name and time in the header the same readings give the same file.
    (to / "readings.jsonl.gz").write_bytes(gzip.compress(lines, compresslevel=9, mtime=0))


if __name__ == "__main__":
    write_sample(SAMPLE)
