import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.commands.replay import record_files, summary_table
from flows.demo.worst_areas import worst_areas
from flows.replay.progress import reading_bar

NOON = 1_719_979_200_000
ALL_COMMANDS = ["demo", "replay", "score", "import", "catalogue", "grid"]
REPLAY_OPTIONS = """
    readings events feedback sensors areas catalogue speed redis routing sla recovery batch-size workers
    all-revisions stop-after tz out grid grid-code-field json
"""
SUMMARY_KEYS = """
    received accepted rejected duplicates late revisions readings events windows alerts seconds
    decode_seconds readings_per_second peak_rss_mb watermark catalogue_hash
"""
OUTPUTS = """
    alerts.jsonl incidents.jsonl indicators.parquet rejects.jsonl revisions.parquet summary.json
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def said(result: Result) -> str:
    """Everything printed, without the frames and line breaks of boxed errors."""
    return re.sub(r"[\s│╭╮╰╯─]+", " ", result.output)


def reading(minute: float, value: float, metric: str = "rain_1m", **more: object) -> dict[str, object]:
    place = {"lon": 114.3055, "lat": 30.5928}
    moment = NOON + int(60_000 * minute)
    return {"sensor_id": "gauge", "metric": metric, "value": value, "ts": moment, **place, **more}


def lines(path: Path, records: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    rain = [reading(minute, 1.0) for minute in range(1, 91)]
    return lines(tmp_path / "readings.jsonl", [*rain, reading(91, 1.0, metric="no_such_metric")])


@pytest.mark.parametrize("command", ["demo", "replay", "score", "import"])
def test_the_help_of_a_command_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"yiwang {command}" in said(result).split("Example", 1)[1]


def test_the_command_lists_what_it_can_do() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert [name for name in ALL_COMMANDS if f" {name} " not in said(result)] == []


def test_replay_has_the_options_of_the_contract() -> None:
    result = run("replay", "--help")
    assert [name for name in REPLAY_OPTIONS.split() if f" --{name} " not in said(result)] == []


WRONG_USE = {
    "a readings file that is not there": (["--readings", "gone.jsonl"], "gone.jsonl does not exist"),
    "a file that holds no records": (["--readings", "notes.txt"], "notes.txt is no record file; give"),
    "a folder without records": (["--readings", "empty"], "empty holds no record file; put"),
    "an areas file that is not there": (["--areas", "gone.geojson"], "gone.geojson does not exist"),
    "an areas file that is no GeoJSON": (["--areas", "notes.txt"], "notes.txt"),
    "a sensors file that is not there": (["--sensors", "gone.csv"], "gone.csv does not exist"),
    "a catalogue that is not there": (["--catalogue", "gone"], "gone does not exist"),
    "no workers": (["--workers", "0"], "--workers"),
    "no batch": (["--batch-size", "0"], "--batch-size"),
    "a pace that is no number": (["--speed", "fast"], "found 'fast'; give max, or a positive number"),
    "a pace of nothing": (["--speed", "0"], "found '0'; give max, or a positive number"),
    "a Redis that is no URL": (["--redis", "localhost"], "found 'localhost'; give none, embedded, or a URL"),
    "an unknown step": (["--stop-after", "encode"], "found 'encode'; the only step to stop after is decode"),
    "an unknown zone": (["--tz", "Asia/Wuhan"], "there is no time zone 'Asia/Wuhan'; give"),
    "a coarse grid": (["--grid-level", "2"], "--grid-level"),
    "a grid without its field": (["--grid", "notes.txt"], "need each other; give both or neither"),
    "an output that is a file": (["--out", "notes.txt"], "notes.txt is a file; give a folder"),
    "a recovery that is a file": (["--recovery", "notes.txt"], "notes.txt is a file; give a folder"),
    "an unknown option": (["--color"], "No such option"),
}


@pytest.mark.parametrize("case", WRONG_USE)
def test_wrong_use_says_what_is_wrong_and_exits_with_2(
    case: str, readings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(readings.parent)
    Path("notes.txt").write_text("notes")
    Path("empty").mkdir()
    options, message = WRONG_USE[case]
    result = run("replay", "--readings", readings, "--out", "out", *options)
    assert result.exit_code == 2
    assert message in said(result)
    assert not Path("out", "summary.json").exists()


@pytest.mark.parametrize("missing", ["--readings", "--out"])
def test_a_replay_needs_readings_and_a_folder_for_its_outputs(missing: str, readings: Path) -> None:
    given_options = {"--readings": str(readings), "--out": "out"}
    del given_options[missing]
    result = run("replay", *(word for pair in given_options.items() for word in pair))
    assert result.exit_code == 2
    assert f"Missing option '{missing}'" in said(result)


def test_a_replay_writes_all_its_files_and_prints_the_summary_as_json_alone(
    readings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run("replay", "--readings", readings, "--out", out, "--all-revisions", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert [key for key in SUMMARY_KEYS.split() if key not in summary] == []
    assert (summary["received"], summary["accepted"], summary["rejected"]) == (91, 90, {"unknown_metric": 1})
    assert "received" in result.stderr
    assert json.loads((out / "summary.json").read_text()) == summary
    assert sorted(p.name for p in out.iterdir() if not p.name.startswith(".")) == OUTPUTS.split()
    rain = pl.read_parquet(out / "indicators.parquet").filter(indicator="weather.rain_1h_max", kind="city")
    assert rain.sort("window_end")["value"].to_list()[-1] == 60.0
    assert json.loads((out / "rejects.jsonl").read_text())["reason"] == "unknown_metric"


def test_the_summary_is_a_table_for_reading_without_json(readings: Path, tmp_path: Path) -> None:
    result = run("replay", "--readings", readings, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert re.search(r"received +91\n", result.stdout)
    assert re.search(r"rejected unknown_metric +1\n", result.stdout)


def test_a_folder_of_readings_gives_what_its_files_give(readings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    lines(folder / "events.jsonl", [{"event_id": "not for the readings"}])
    (folder / "readings.jsonl.gz").write_bytes(gzip.compress(readings.read_bytes()))
    for name, source in (("one", readings), ("two", folder)):
        assert run("replay", "--readings", source, "--out", tmp_path / name).exit_code == 0
    one, two = ((tmp_path / name / "indicators.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_replay_of_chosen_indicators_gives_their_rows_as_the_whole_catalogue_does(
    readings: Path, tmp_path: Path
) -> None:
    run("replay", "--readings", readings, "--out", tmp_path / "all")
    run("replay", "--readings", readings, "--indicator", "weather.rain_*", "--out", tmp_path / "rain")
    whole, rain = (pl.read_parquet(tmp_path / name / "indicators.parquet") for name in ("all", "rain"))
    assert set(rain["indicator"].unique()) == {"weather.rain_1h_max", "weather.rain_warning_level"}
    assert rain.equals(whole.filter(pl.col("indicator").str.starts_with("weather.rain_")))


def test_an_indicator_there_is_not_is_wrong_use_and_names_the_nearest(readings: Path, tmp_path: Path) -> None:
    done = run("replay", "--readings", readings, "--indicator", "weather.rain_1h", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "there is no indicator 'weather.rain_1h'; near it: weather.rain_1h_max" in said(done)


def test_work_that_fails_exits_with_1_and_names_the_cause(readings: Path, tmp_path: Path) -> None:
    whole = gzip.compress(readings.read_bytes())
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(whole[: len(whole) // 2])
    result = run("replay", "--readings", broken, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Error:" in result.stderr
    assert "broken.jsonl.gz" in said(result)


def test_the_demo_refuses_a_length_that_is_no_time() -> None:
    result = run("demo", "--for", "soon")
    assert result.exit_code == 2
    assert "found 'soon'; give a time such as 120s, or forever" in said(result)


def test_a_folder_stands_for_the_files_of_its_kind_or_for_all_where_none_is_named_so(tmp_path: Path) -> None:
    for name in ("readings-2.parquet", "readings-1.jsonl.zst", "events.jsonl", "truth.csv"):
        (tmp_path / name).touch()
    ordered = [tmp_path / "readings-1.jsonl.zst", tmp_path / "readings-2.parquet"]
    assert record_files([tmp_path], "readings") == ordered
    assert record_files([tmp_path], "feedback") == [tmp_path / "events.jsonl", *ordered]
    assert record_files([ordered[1], ordered[0]], "readings") == ordered[::-1]


def test_the_summary_shows_numbers_and_times_for_reading() -> None:
    table = summary_table(
        {"received": 1_234_567, "seconds": 1.5, "watermark": NOON, "rejected": {"too_late": 3}},
        "Asia/Shanghai",
    )
    assert list(table.columns[0].cells) == ["received", "seconds", "watermark", "rejected too_late"]
    assert list(table.columns[1].cells) == ["1,234,567", "1.500", "2024-07-03 12:00:00+08:00", "3"]


def test_a_progress_bar_is_drawn_on_stderr_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with reading_bar(100, shown=True) as advance:
        advance(100)
    assert capsys.readouterr().out == ""


AREA_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "indicator": st.sampled_from(["high", "low", "unknown"]),
            "area": st.sampled_from(["a", "b", "c", "d"]),
            "kind": st.sampled_from(["cell", "street", "district", "city"]),
            "window_end": st.integers(0, 3).map(lambda h: datetime(2024, 7, 3, h, tzinfo=UTC)),
            "value": st.none() | st.integers(-3, 3).map(float),
            "level": st.integers(0, 4),
        }
    ),
    max_size=20,
)
SCHEMA: dict[str, Any] = {
    "indicator": pl.String,
    "area": pl.String,
    "kind": pl.String,
    "window_end": pl.Datetime("ms", "UTC"),
    "value": pl.Float64,
    "level": pl.Int8,
}


@given(AREA_ROWS, st.integers(1, 3))
def test_the_worst_areas_are_the_highest_levels_then_the_worst_values(
    rows: list[dict[str, Any]], shown: int
) -> None:
    high_bad = {"high": True, "low": False}
    found = worst_areas(pl.DataFrame(rows, schema=SCHEMA), high_bad, shown).to_dicts()
    expected = []
    for name, high in sorted(high_bad.items()):
        known = [r for r in rows if r["indicator"] == name and r["value"] is not None and r["kind"] != "cell"]
        kind = next((k for k in ("street", "district", "city") if any(r["kind"] == k for r in known)), None)
        best: dict[str, tuple[Any, ...]] = {}
        for r in (r for r in known if r["kind"] == kind):
            key = (-r["level"], -r["value"] if high else r["value"], r["window_end"], r["area"])
            best[r["area"]] = min(best.get(r["area"], key), key)
        expected += [(name, *key[2:], -key[0]) for key in sorted(best.values())[:shown]]
    assert [(r["indicator"], r["window_end"], r["area"], r["level"]) for r in found] == expected
