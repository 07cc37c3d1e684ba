"""The log: every event in two languages with the same fields, told as lines or JSON, and never a secret."""

import ast
import json
import logging
import re
import string
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sinks import log
from sinks.log import EventLog, configure
from sinks.log_events import EVENTS, message

ROOT = Path(__file__).resolve().parents[2]
LOG = EventLog("test")
Capture = pytest.CaptureFixture[str]
LEVELS = {"info", "warning", "error", "failed"}


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def told() -> Iterator[tuple[Path, str, str, set[str]]]:
    """Where the engine tells of an event: file, level, event, names of fields."""
    for path in sorted([*(ROOT / "flows").rglob("*.py"), *(ROOT / "sinks").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "LOG"
                and node.func.attr in LEVELS
            ):
                event, *_ = node.args
                assert isinstance(event, ast.Constant), f"{path.name}:{node.lineno} tells of no fixed event"
                names = {word.arg or "" for word in node.keywords}
                yield path, node.func.attr, str(event.value), names


TOLD = list(told())


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, settings = logging.getLogger(), log._SETTINGS
    before = (root.handlers[:], root.level, settings.language, settings.zone, settings.process)
    yield
    root.handlers[:], level, settings.language, settings.zone, settings.process = before
    root.setLevel(level)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_says_the_same_in_both_languages(event: str) -> None:
    texts = EVENTS[event]
    assert set(texts) == {"zh", "en"}
    assert fields_of(texts["zh"]) <= fields_of(texts["en"])
    assert fields_of(texts["en"]) - fields_of(texts["zh"]) == set()
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", event)
    bare = {lang: re.sub(r"\{[^}]*\}|Kafka|Redis|[^\w]", "", text) for lang, text in texts.items()}
    assert bare["en"].isascii()
    assert not bare["zh"] or not bare["zh"].isascii() or bare["zh"] == bare["en"]


def test_the_engine_tells_of_every_event_and_of_no_other_with_its_fields() -> None:
    assert {event for _, _, event, _ in TOLD} == set(EVENTS)
    for path, _, event, names in TOLD:
        assert names == fields_of(EVENTS[event]["en"]), f"{path.name}: {event}"


def test_no_event_has_a_field_that_records_fill() -> None:
    assert not {name for _, _, _, names in TOLD for name in names} & {
        "note",
        "raw",
        "record",
        "password",
        "value",
    }


def test_nothing_else_of_a_live_engine_writes_to_stderr_or_the_standard_log() -> None:
    live = [
        path
        for name in ("live", "kafka", "redis", "control", "stages")
        for path in (ROOT / "flows" / name).glob("*.py")
    ]
    for path in [*live, *(ROOT / "sinks").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert path.name == "log.py" or "import logging" not in text, path
        assert not re.search(r"^ +print\(|print_exc", text, re.MULTILINE), path


def test_json_lines_have_a_time_with_its_zone_and_the_fields(capsys: Capture) -> None:
    configure("json", "zh", tz="Asia/Shanghai", process=3)
    LOG.warning("kafka.waiting", servers="a:9092", error=OSError("no route"))
    event = json.loads(capsys.readouterr().err)
    moment = datetime.fromisoformat(event.pop("time"))
    assert moment.utcoffset() is not None
    assert str(moment.utcoffset()) == "8:00:00"
    assert event == {
        "level": "warning",
        "event": "kafka.waiting",
        "logger": "yiwang.test",
        "process": 3,
        "message": "等待 Kafka a:9092 恢复：no route",
        "servers": "a:9092",
        "error": "no route",
    }


def test_console_lines_are_for_people_and_a_level_leaves_out_what_is_below(capsys: Capture) -> None:
    configure("console", "en", "warning", tz="UTC")
    LOG.info("run.started")
    LOG.error("run.restarting", why="process 1 was killed", seconds=2.0)
    pattern = r"\d{4}-\d\d-\d\dT[\d:.]{12}\+00:00 error   process 1 was killed; all processes are .*2 s\n"
    assert re.fullmatch(pattern, capsys.readouterr().err)


@pytest.mark.parametrize(("lang", "language"), [("zh_CN.UTF-8", "zh"), ("C", "en")])
def test_without_a_language_that_of_the_environment_counts(
    lang: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", lang)
    configure()
    assert log._SETTINGS.language == language


def _fail_on(record: dict[str, str]) -> None:
    try:
        int(record["note"])
    except ValueError as error:
        raise KeyError(record["note"]) from error


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_failure_tells_places_and_nothing_of_a_record(form: Any, capsys: Capture) -> None:
    configure(form, "en")
    try:
        _fail_on({"note": "call Mrs Li on 13800138000"})
    except KeyError as error:
        LOG.failed("run.process_failed", error, kind=type(error).__name__)
        logging.getLogger("library").warning("it failed", exc_info=True)
    shown = capsys.readouterr().err
    assert "13800138000" not in shown
    assert "_fail_on" in shown
    assert shown.count("ValueError") == 2


def test_logs_of_libraries_are_events_too(capsys: Capture) -> None:
    configure("json", "en")
    logging.getLogger("bytewax").warning("%d things", 3)
    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["logger"], event["message"]) == ("library", "bytewax", "3 things")


def test_a_field_is_cut_before_it_fills_the_disk(capsys: Capture) -> None:
    configure("json", "en")
    LOG.warning("kafka.trouble", error="x" * 100_000)
    assert len(capsys.readouterr().err) < 3 * log.MOST


def test_an_event_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        message("kafka.nothing", "en", {})
