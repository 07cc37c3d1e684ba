"""The schemas in docs are those of the types, and what the engine reads and writes is valid by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from flows.batches import Rejected
from flows.config.schemas import RejectLine, schemas
from flows.replay.replaying import replay
from sinks.line_files import reject_line
from tests.replays import make_city, replay_options

DOCS = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city with feedback for incidents it has, replayed into ``out``."""
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=40, seed=11)
    replay(replay_options(folder, folder / "first"))
    incidents = lines(folder / "first" / "incidents.jsonl")
    with (folder / "feedback.jsonl").open("w") as file:
        for incident in incidents[:5]:
            record = {"incident_id": incident["incident_id"], "action": "acknowledge", "actor": "a"}
            file.write(json.dumps({**record, "ts": incident["decided_ts"] + 1_000, "note": "知道了"}) + "\n")
    replay(replay_options(folder, folder / "out", feedback=[folder / "feedback.jsonl"]))
    return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_files_in_docs_are_those_of_the_types() -> None:
    files = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in DOCS.iterdir()}
    assert files == {f"{name}.schema.json": schema for name, schema in schemas().items()}


@pytest.mark.parametrize(
    ("name", "file"),
    [("alert", "alerts.jsonl"), ("incident", "incidents.jsonl"), ("reject", "rejects.jsonl")],
)
def test_what_the_engine_writes_is_valid(city: Path, name: str, file: str) -> None:
    written = lines(city / "out" / file)
    assert len(written) > 1
    check = validator(name)
    for line in written:
        check.validate(line)


def test_incidents_that_were_acknowledged_are_among_those_checked(city: Path) -> None:
    assert any(line["status"] == "acknowledged" for line in lines(city / "out" / "incidents.jsonl"))


@pytest.mark.parametrize(
    ("name", "file"),
    [("reading", "readings.jsonl"), ("event", "events.jsonl"), ("feedback", "feedback.jsonl")],
)
def test_what_the_engine_accepts_is_valid(city: Path, name: str, file: str) -> None:
    refused = {line["offset"] for line in lines(city / "out" / "rejects.jsonl") if line["source"] == file}
    check = validator(name)
    for number, line in enumerate(lines(city / file)):
        if number not in refused:
            check.validate(line)


@pytest.mark.parametrize("line", [{}, {"sensor_id": "", "metric": "m", "value": 1, "ts": 1}])
def test_a_record_that_is_refused_is_not_valid(line: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validator("reading").validate(line)


def test_the_line_of_a_reject_has_the_fields_of_its_schema() -> None:
    line = json.loads(reject_line(Rejected("a", 0, 1, 2, "bad_json", b"{", 3)))
    assert list(line) == list(RejectLine.__struct_fields__)
