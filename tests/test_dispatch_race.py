"""Takers race for the queue, some are killed: nothing is lost, nothing worked after its acknowledgement."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.dispatch_queue import race
from tests.redis_servers import redis_server


@pytest.mark.slow
def test_killed_takers_lose_nothing_and_nothing_is_worked_after_its_acknowledgement(tmp_path: Path) -> None:
    with redis_server() as server:
        found = race(server.url, tmp_path, rate=1_000, seconds=3, takers=4, kill=2)
    assert found.sound, found
    assert found.acknowledged == 3_000
