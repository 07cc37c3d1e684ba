"""The shipped sample is what its maker makes, and small."""

import gzip
import json
from pathlib import Path

import pytest

from sim.make_sample import DISTRICTS, SAMPLE, STREETS, write_sample

NAMES = ("areas.geojson", "events.jsonl", "readings.jsonl.gz", "sensors.csv")


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
    assert all(f["properties"]["approximate"] == "rectangle" for f in areas["features"])
    assert [f["properties"]["id"] for f in areas["features"]] == [r[0] for r in (*DISTRICTS, *STREETS)]
