"""`yiwang explain`: the same evidence from Redis and from the file of a replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from alerts.incident import Incident, json_line
from flows.cli import app
from tests.redis_servers import redis_server
from tests.sinks.dispatch_stories import a_book, acted, fill, moved, send


@pytest.fixture
def story() -> list[Incident]:
    """A gas leak that rises to red and is worked on: the incident after each change."""
    book = a_book()
    changes = book.take([moved(1, level=2), moved(1, 2, level=4, previous=2)])
    return [*changes, *acted(book, changes[0].incident_id, "dispatch", "arrive")]


@pytest.fixture
def file(story: list[Incident], tmp_path: Path) -> Path:
    path = tmp_path / "incidents.jsonl"
    path.write_bytes(b"".join(json_line(one) for one in story))
    return path


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["explain", *arguments], env={"COLUMNS": "160"})
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def test_the_last_words_about_an_incident_with_its_definition(story: list[Incident], file: Path) -> None:
    found: dict[str, Any] = json.loads(run(story[0].incident_id, "--incidents", str(file), "--json"))
    assert [step["change"] for step in found["history"]] == ["raised", "escalated", "dispatch", "arrive"]
    assert (found["status"], found["level"], found["threshold"]) == ("arrived", 4, 10.0)
    assert found["definition"]["id"] == "gas.leak_lel_max"


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["threshold", "Combustible-gas maximum", "arrive → arrived"]),
        ("zh", ["阈值", "燃气泄漏浓度", "指标"]),
    ],
)
def test_a_page_names_value_threshold_source_and_what_was_done(
    story: list[Incident], file: Path, lang: str, words: list[str]
) -> None:
    page = run(story[0].incident_id, "--incidents", str(file), "--lang", lang)
    for word in [*words, "12.5", "GB/T 50493-2019", "武昌消防", "红 red"]:
        assert word in page


def test_redis_and_the_file_say_the_same(story: list[Incident], file: Path) -> None:
    with redis_server() as server:
        fill(server.url, [])
        send(server.url, story)
        for form in (["--json"], []):
            mine = run(story[0].incident_id, "--redis", server.url, *form)
            assert mine == run(story[0].incident_id, "--incidents", str(file), *form)


def test_an_incident_that_is_not_there(story: list[Incident], file: Path, tmp_path: Path) -> None:
    assert "no incident I00" in run("I00", "--incidents", str(file), code=1)
    assert "cannot be read" in run("I00", "--incidents", str(tmp_path / "none.jsonl"), code=1)
    with redis_server() as server:
        assert "yiwang dispatch list" in run(story[0].incident_id, "--redis", server.url, code=1)
