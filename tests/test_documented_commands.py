"""What README and docs tell people to type works, and what they say of the outputs is so."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from alerts.incident import Incident
from alerts.transitions import Transition
from flows.replay.replay_summary import Summary
from flows.wire import Reason

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sim" / "sample"
READMES = ("README.md", "README.zh-CN.md")
# What is said of Redis is tried on one of its own: test_documented_dispatch, test_documented_redis.
OTHERS = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = (
    *READMES,
    *(str(p.relative_to(ROOT)) for p in OTHERS if p.name.split(".")[0] not in {"dispatch", "redis"}),
)
REPLAY_GUIDE = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")

RECORDED = """No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station
1,2013,3,1,0,9,9,3,17,300,89,-0.5,1024.5,-21.4,0,NNW,5.7,Dongsi
2,2013,3,1,1,4,4,NA,16,300,88,-0.7,1025.1,-22.1,0,NW,3.9,Dongsi
"""
"""The beginning of a file as ``yiwang import beijing-air`` wants it."""


def commands(document: str) -> list[str]:
    """The shell blocks of a document, without ``make``, which wants an environment of its own."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    scripts = (re.sub(r"^make .*\n", "", found, flags=re.MULTILINE) for found in blocks)
    return [script for script in scripts if script.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has: the sample city, some places and codes, a recording, and the programs."""
    here = tmp_path_factory.mktemp("reader")
    for name in ("events.jsonl", "sensors.csv", "areas.geojson", "truth.jsonl"):
        (here / name).write_bytes((SAMPLE / name).read_bytes())
    (here / "readings.jsonl").write_bytes(gzip.decompress((SAMPLE / "readings.jsonl.gz").read_bytes()))
    (here / "places.csv").write_text("lon,lat\n114.3055,30.5928\n")
    (here / "codes.csv").write_text("code\nN50J47539B8\n")
    (here / "PRSA").mkdir()
    (here / "PRSA" / "stations.csv").write_text("station,lon,lat\nDongsi,116.417,39.929\n")
    (here / "PRSA" / "PRSA_Dongsi.csv").write_text(RECORDED)
    programs = here / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("yiwang", "-c 'from flows.cli import main; main()'")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    return here


@pytest.fixture(scope="module")
def typed(folder: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Every different block, run once in the order of the documents."""
    paths = (str(folder / ".venv" / "bin"), os.environ["PATH"])
    environment = os.environ | {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT)}
    return {
        script: subprocess.run(
            ["/bin/sh", "-euc", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for script in dict.fromkeys(script for document in DOCUMENTS for script in commands(document))
    }


@pytest.mark.slow
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands(d)])
def test_every_command_of_a_document_works(
    document: str, typed: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    for script in commands(document):
        assert typed[script].returncode == 0, f"{script}\n{typed[script].stderr[-2000:]}"
        # A command whose answer stands beside it gives that answer.
        answers = [
            line.split("#", 1)[1].split(" (")[0].strip() for line in script.splitlines() if "  # " in line
        ]
        assert [a for a in answers if a.startswith(("N", "[", "1")) and a not in typed[script].stdout] == []


def examples(readme: str) -> list[tuple[str, str]]:
    """Language and text of all fenced blocks."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_both_readmes_show_the_same_examples() -> None:
    one, other = ([block for block in examples(name) if block[0] != "sh"] for name in READMES)
    assert one == other
    assert commands(READMES[0]) == commands(READMES[1])


@pytest.mark.parametrize("name", ["anomaly", "dispatch", "operations"])
def test_both_editions_of_a_guide_show_the_same_examples(name: str) -> None:
    assert examples(f"docs/{name}.md") == examples(f"docs/{name}.zh-CN.md")


def section(heading: str) -> str:
    """The part of the guide under a heading, up to the next."""
    return re.split(r"^#+ ", REPLAY_GUIDE.split(f"# {heading}\n", 1)[1], flags=re.MULTILINE)[0]


def named(heading: str) -> list[str]:
    """What the first column of a section's table names."""
    cells = re.findall(r"^\| (`.*?) \|", section(heading), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.slow
@pytest.mark.usefixtures("typed")
def test_the_guide_names_the_columns_of_the_table(folder: Path) -> None:
    schema = pl.read_parquet_schema(folder / "out" / "indicators.parquet")
    assert named("`indicators.parquet`") == list(schema)


@pytest.mark.slow
@pytest.mark.usefixtures("typed")
def test_the_guide_names_the_fields_of_the_lines(folder: Path) -> None:
    for name, record in (("alerts.jsonl", Transition), ("incidents.jsonl", Incident)):
        with (folder / "out" / name).open("rb") as file:
            first = json.loads(file.readline())
        fields = set(record.__struct_fields__)
        assert set(named(f"`{name}`")) == fields
        # A line leaves out what only faults of sensors have.
        assert fields - set(first) <= {"owner"}
        assert set(first) <= fields
    with (folder / "out" / "rejects.jsonl").open("rb") as file:
        assert set(json.loads(file.readline())) <= set(re.findall(r"`(\w+)`", section("`rejects.jsonl`")))


def test_the_guide_names_every_reason_and_every_key_of_the_summary() -> None:
    assert set(named("`rejects.jsonl`")) == {reason.value for reason in Reason}
    assert set(named("`summary.json`")) == set(Summary.__struct_fields__)
