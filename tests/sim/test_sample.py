"""The shipped sample is what its maker makes, and small."""

import gzip
import json
from pathlib import Path

import pytest

from sim.make_sample import SAMPLE, write_sample

NAMES = ("areas.geojson", "events.jsonl", "readings.jsonl.gz", "sensors.csv", "truth.jsonl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


def content(path: Path) -> bytes:
    """What the file says; compressors may differ in how they say it."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_making_the_sample_again_gives_the_shipped_bytes(made: Path, name: str) -> None:
    assert content(made / name) == content(SAMPLE / name)


def test_the_sample_is_complete_and_below_600_kb() -> None:
    assert sorted(p.name for p in SAMPLE.iterdir()) == sorted(NAMES)
    assert sum(p.stat().st_size for p in SAMPLE.iterdir()) < 600_000


def test_the_areas_say_that_they_are_approximate() -> None:
    areas = json.loads((SAMPLE / "areas.geojson").read_text(encoding="utf-8"))
    assert "not boundaries" in areas["name"]
    assert all(f["properties"]["approximate"] == "voronoi" for f in areas["features"])
    kinds = [f["properties"]["kind"] for f in areas["features"]]
    assert (kinds.count("city"), kinds.count("district")) == (1, 13)
    ids = {f["properties"]["id"] for f in areas["features"]} | {""}
    assert all(f["properties"]["parent"] in ids for f in areas["features"])


def test_the_sample_tells_what_has_happened_in_it() -> None:
    lines = (SAMPLE / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["scenario"] for line in lines} == {"rainstorm", "gas_leak"}
