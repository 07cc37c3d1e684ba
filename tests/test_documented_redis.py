"""docs/redis.md tried on the Redis of a replayed city: every command, every name."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.replay.replaying import replay
from flows.scores.settings import ScoreSettings
from sinks.redis_keys import Keys
from sinks.redis_server import find_cli
from tests.redis_servers import ask, hash_of, redis_server
from tests.replays import make_city, replay_options

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    city = make_city(tmp_path_factory.mktemp("city"), sensors=300, minutes=20, seed=41)
    with redis_server() as server:
        out = tmp_path_factory.mktemp("out")
        replay(replay_options(city, out, redis=server.url, anomaly=ScoreSettings()))
        yield server.url


def test_the_commands_work_and_show_something(url: str, tmp_path: Path) -> None:
    (tmp_path / "redis-cli").symlink_to(find_cli())
    environment = os.environ | {"REDIS": url, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    for command in "".join(blocks).splitlines():
        shell = ["/bin/sh", "-euc", command]
        done = subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "ERR" not in done.stdout
        assert command.startswith("export") or done.stdout.strip() not in {"", "0"}, command


def test_the_names_are_those_that_are_there(url: str) -> None:
    keys = Keys()
    told = set(re.findall(r"^\| `(yw:[^`]*)`", GUIDE, re.MULTILINE))
    there = {keys.cell("CODE"), keys.area("ID"), keys.areas, keys.rank("INDICATOR"), keys.alerts, keys.live}
    of_anomalies = {keys.anomalies, "yw:anomalies:seen:DAY", keys.quarantine}
    assert told == there | of_anomalies | {keys.meta, "yw:alerts:seen:DAY"}
    meta = GUIDE.split("| `yw:meta` | hash |")[1].split("\n")[0]
    assert set(hash_of(url, "yw:meta")) == set(re.findall(r"`(\w+)`", meta))
    # Not all indicators are scored.
    value = max(map(json.loads, hash_of(url, "yw:area:city").values()), key=len)
    # There is no band yet after so short a time.
    assert [*value, "b"] == re.findall(r"^\| `(\w)` \|", GUIDE, re.MULTILINE)
    entry = json.loads(hash_of(url, "yw:areas")["city"])
    assert list(entry) == ["name_zh", "name_en", "kind", "parent"]
    kinds = {ask(url, ("TYPE", key))[0] for key in ask(url, ("KEYS", "yw:alerts:seen:*"))[0]}
    assert kinds == {"set"}
