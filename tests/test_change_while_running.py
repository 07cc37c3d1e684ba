"""A catalogue that changes while records flow: what stays is as if nothing had changed, bytes and all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.replay.replaying import replay
from tests.redis_servers import hash_of, keys_of, redis_server
from tests.replays import (
    MORNING,
    counts,
    make_city,
    replay_options,
    running_until,
    start_replay,
    tables,
)

MINUTE = 60_000
ADDED, EDITED, BROKEN, REMOVED = (MORNING + minutes * MINUTE + 12_345 for minutes in (21, 31, 36, 46))
"""When the files change."""


def indicator(name: str, formula: str, **more: str) -> str:
    keys = {
        "theme": '"emergency"',
        "domain": '"weather"',
        "unit": '"1"',
        "window": '"30m"',
        "hop": '"5m"',
        **more,
    }
    lines = [f'id = "own.{name}"', f'name_zh = "{name}"', f'name_en = "{name}"', f'formula = "{formula}"']
    return "\n".join(["[[indicator]]", *lines, *(f"{key} = {value}" for key, value in keys.items()), ""])


RAIN = indicator(
    "rain", "highest(sum(rain_1m))", unit='"mm"', levels="{ yellow = { raise = 5 }, red = { raise = 30 } }"
)
MORE_RAIN = RAIN.replace("sum(rain_1m)", "2 * sum(rain_1m)").replace("raise = 5 ", "raise = 8 ")
FINE = indicator("fine", "highest(max(wind_speed))", unit='"m/s"', window='"3m"', hop='"1m"')
GAS = indicator(
    "gas",
    "highest(max(gas_lel))",
    unit='"%"',
    window='"1m"',
    hop='"1m"',
    early="true",
    levels="{ blue = { raise = 4 }, red = { raise = 20 } }",
)
TOXIC = indicator(
    "toxic",
    "highest(max(cl2_process))",
    unit='"mg/m3"',
    window='"1m"',
    hop='"1m"',
    early="true",
    levels="{ blue = { raise = 0.05 } }",
)
PAST = indicator("past", "lowest(min(rain_1m, '26h'))", unit='"mm"', window='"1h"', hop='"15m"')
CASES = indicator("cases", "number(cases('ev_gas_leak', status='reported'))", unit='"1"')


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=60, seed=23)
    sets = {
        "added": {"rain.toml": RAIN, "fine.toml": FINE + GAS, "more.toml": TOXIC + PAST},
        "edited": {"rain.toml": MORE_RAIN, "fine.toml": FINE + GAS, "more.toml": TOXIC + PAST},
        "broken": {"rain.toml": RAIN.replace("highest", "hihgest"), "fine.toml": FINE},
    }
    for name, files in sets.items():
        (folder / name).mkdir()
        for file, text in files.items():
            (folder / name / file).write_text(text, encoding="utf-8")
    lines = [
        {"ts": ADDED, "catalogue": "added"},
        {"ts": EDITED, "catalogue": "edited"},
        {"ts": BROKEN, "catalogue": "broken"},
        {"ts": REMOVED, "catalogue": None},
    ]
    (folder / "control.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def plain(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    replay(replay_options(city, out))
    return out


@pytest.fixture(scope="module")
def changed(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("changed")
    summary = replay(replay_options(city, out, control=city / "control.jsonl"))
    assert (summary.changes, summary.refused_changes) == (3, 1)
    return out


def own(name: str = "own.") -> pl.Expr:
    return pl.col("indicator").str.starts_with(name)


def rows(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "indicators.parquet").with_columns(end=pl.col("window_end").dt.epoch("ms"))


def alerts(out: Path, file: str = "alerts.jsonl") -> Iterator[dict[str, Any]]:
    for line in (out / file).read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        # Which catalogue was in force is told of every transition, and differs.
        del found["catalogue_hash"]
        yield found


@pytest.mark.parametrize("file", ["alerts.jsonl", "incidents.jsonl"])
def test_what_stays_does_not_blink(plain: Path, changed: Path, file: str) -> None:
    assert rows(changed).filter(~own()).equals(rows(plain))
    assert [one for one in alerts(changed, file) if not one["indicator"].startswith("own.")] == list(
        alerts(plain, file)
    )
    assert (changed / "rejects.jsonl").read_bytes() == (plain / "rejects.jsonl").read_bytes()


def test_what_is_new_answers_within_two_slice_ends_with_what_is_kept(changed: Path) -> None:
    found = rows(changed).filter(own("own.rain") & (pl.col("kind") == "city"))
    assert found["end"].min() == MORNING + 25 * MINUTE
    first = found.row(0, named=True)
    assert first["n"] > 15, "the window is full of readings from before"
    gas = rows(changed).filter(own("own.gas"))
    assert gas["end"].min() == MORNING + 23 * MINUTE
    assert gas["end"].max() == MORNING + 47 * MINUTE


def test_an_edited_formula_goes_on_with_the_same_series(changed: Path) -> None:
    found = rows(changed).filter(own("own.rain") & (pl.col("kind") == "city"))
    other = rows(changed).filter((pl.col("indicator") == "weather.rain_1h_max") & (pl.col("kind") == "city"))
    assert other.height
    old, new = (found.filter(pl.col("end") == MORNING + minutes * MINUTE)["value"][0] for minutes in (30, 35))
    assert new > 1.9 * old > 0


def test_what_is_gone_clears_its_alerts(changed: Path) -> None:
    found = [one for one in alerts(changed) if one["indicator"].startswith("own.")]
    gone = (REMOVED // MINUTE + 1) * MINUTE
    last = {one["alert_id"]: one for one in found}
    assert {one["transition"] for one in last.values()} <= {"cleared", "retracted"}
    ended = [one for one in last.values() if one["decided_ts"] == gone and one["value"] is None]
    assert ended
    assert max(one["decided_ts"] for one in found) == gone
    assert rows(changed).filter(own() & (pl.col("end") > gone)).is_empty()
    closed = [one for one in alerts(changed, "incidents.jsonl") if one["indicator"].startswith("own.")]
    assert {one["alarm"] for one in closed} == {"cleared"}
    assert {one["name_en"] for one in closed} <= {"rain", "gas", "toxic"}


@pytest.mark.parametrize(
    "more",
    [{"batch_size": 17}, {"batch_size": 400, "lanes": 3}, {"workers": 2}],
    ids=["small batches", "lanes", "processes"],
)
def test_neither_batches_nor_lanes_nor_processes_show(
    city: Path, changed: Path, tmp_path: Path, more: dict[str, int]
) -> None:
    replay(replay_options(city, tmp_path / "out", control=city / "control.jsonl", **more))
    assert tables(tmp_path / "out") == tables(changed)
    assert counts(tmp_path / "out") == counts(changed)


def test_long_after_a_change_nothing_tells_it_from_a_catalogue_of_the_beginning(
    city: Path, changed: Path, tmp_path: Path
) -> None:
    replay(replay_options(city, tmp_path / "out", catalogue=city / "added"))
    compared = own("own.rain") | own("own.gas") | own("own.toxic") | own("own.past")
    after, until = ADDED + 31 * MINUTE // 10, EDITED
    span = compared & pl.col("end").is_between(after, until) & pl.col("value").is_not_null()
    columns = ["indicator", "area", "kind", "window_end", "value", "n", "coverage", "status"]
    expected = rows(tmp_path / "out").filter(span).select(columns)
    assert expected["indicator"].n_unique() >= 3
    assert rows(changed).filter(span).select(columns).equals(expected)


def test_crashes_amid_changes_leave_no_trace(city: Path, changed: Path, tmp_path: Path) -> None:
    out, recovery = tmp_path / "out", tmp_path / "recovery"
    control = city / "control.jsonl"
    more = ("--snapshot-every=0.1", "--batch-size=20", f"--recovery={recovery}", f"--control={control}")
    for workers, catalogues in ((1, 2), (2, 3)):
        with start_replay(city, out, *more, f"--workers={workers}") as run:
            running_until(run, lambda n=catalogues: seen(out) >= n, 200)  # type: ignore[misc]
            run.kill()
            run.communicate()
    replay(replay_options(city, out, recovery=recovery, snapshot_every=0.1, batch_size=50, control=control))
    assert tables(out) == tables(changed)
    assert counts(out) == counts(changed)


def seen(out: Path) -> int:
    """How many catalogues the alerts so far were decided by."""
    text = b"".join(path.read_bytes() for path in (out / ".parts").glob("alerts*"))
    return len(set(re.findall(rb'"catalogue_hash":"(\w+)"', text)))


@pytest.mark.parametrize("batch_size", [10_000, 23])
def test_thresholds_change_levels_alone_and_only_where_and_when_they_hold(
    city: Path, plain: Path, tmp_path: Path, batch_size: int
) -> None:
    name = "gas.leak_lel_max"
    levels = rows(plain).filter((pl.col("indicator") == name) & (pl.col("level") > 0))
    cell = levels.filter((pl.col("kind") == "cell") & (pl.col("end") > EDITED))["area"][0]
    text = f'[[override]]\nindicator = "{name}"\ncells = ["{cell}"]\nlevels = {{ red = {{ raise = 1000 }}, '
    text += "orange = { raise = 900 }, yellow = { raise = 800 }, blue = { raise = 700 } }\n"
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    lines = [{"ts": EDITED, "thresholds": "t.toml"}, {"ts": REMOVED, "thresholds": None}]
    (tmp_path / "control.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    replay(replay_options(city, out, control=tmp_path / "control.jsonl", batch_size=batch_size))
    begin, end = ((at // MINUTE + 1) * MINUTE for at in (EDITED, REMOVED))
    there = (pl.col("indicator") == name) & (pl.col("area") == cell)
    held = there & (pl.col("end") > begin) & (pl.col("end") <= end)
    assert rows(out).drop("level").equals(rows(plain).drop("level"))
    assert rows(out).filter(~held).equals(rows(plain).filter(~held))
    assert rows(plain).filter(held & (pl.col("level") > 0)).height > 0
    assert rows(out).filter(held)["level"].to_list() == [0] * rows(plain).filter(held).height
    eased = [one for one in alerts(out) if one["area"] == cell and one["decided_ts"] == begin + MINUTE]
    assert [one["transition"] for one in eased if one["indicator"] == name] == ["cleared"]
    assert [one["threshold"] for one in eased if one["indicator"] == name] == [pytest.approx(695, abs=5)]


def test_redis_forgets_what_is_gone_and_knows_the_catalogue_in_force(city: Path, tmp_path: Path) -> None:
    (tmp_path / "control.jsonl").write_text(
        json.dumps({"ts": ADDED, "catalogue": str(city / "added")})
        + "\n"
        + json.dumps({"ts": EDITED, "catalogue": None, "thresholds": str(city / "night.toml")})
        + "\n"
    )
    (city / "night.toml").write_text(
        '[[override]]\nindicator = "gas.leak_lel_max"\nhours = "22-6"\nlevels = { red = { raise = 60 } }\n'
    )
    control = tmp_path / "control.jsonl"
    with redis_server() as server:
        replay(replay_options(city, tmp_path / "out", control=control, redis=server.url))
        fields = {
            name
            for kind in ("cell", "area")
            for key in keys_of(server.url, f"yw:{kind}:*")
            for name in hash_of(server.url, key)
        }
        ranked = keys_of(server.url, "yw:rank:*")
        meta = hash_of(server.url, "yw:meta")
    assert "gas.leak_lel_max" in fields
    assert not {name for name in fields if name.startswith("own.")}
    assert "yw:rank:gas.leak_lel_max" in ranked
    assert not [key for key in ranked if key.startswith("yw:rank:own.")]
    last = (tmp_path / "out" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    hashes = {
        json.loads(line)["catalogue_hash"]
        for line in last
        if json.loads(line)["decided_ts"] > EDITED + MINUTE
    }
    assert {meta["catalogue_hash"]} == hashes


def test_a_change_long_before_the_first_record_is_in_force_from_the_beginning(
    city: Path, tmp_path: Path
) -> None:
    lines = [
        {"ts": ADDED - days * 86_400_000, "catalogue": str(city / name)}
        for days, name in ((900, "edited"), (800, "added"))
    ]
    (tmp_path / "control.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    replay(replay_options(city, tmp_path / "out", control=tmp_path / "control.jsonl"))
    replay(replay_options(city, tmp_path / "begun", catalogue=city / "added"))
    coarse = own("own.fine")
    assert rows(tmp_path / "out").filter(~coarse).equals(rows(tmp_path / "begun").filter(~coarse))
    assert list(alerts(tmp_path / "out")) == list(alerts(tmp_path / "begun"))
