"""Faulty sensors in Redis and as metrics: those that stand, and how many there were."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from alerts.sensor_faults import SensorFault, fault_id
from sinks.prometheus_faults import FaultCounter, FaultFigures
from sinks.redis_faults import FaultContent
from sinks.redis_keys import Keys
from sinks.redis_link import RedisLink
from sinks.redis_server import RedisServer
from tests.redis_servers import hash_of, redis_server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


def fault(sensor: str, *, quarantined: bool = True) -> SensorFault:
    return SensorFault(
        fault_id=fault_id(sensor, "tap_pressure", "N49E0B26714", 60_000),
        seq=0,
        transition="raised",
        sensor=sensor,
        metric="tap_pressure",
        cell="N49E0B26714",
        fault="stuck" if quarantined else "silent",
        name_zh="卡死",
        name_en="stuck",
        since=0,
        until=None,
        quarantined=quarantined,
        decided_ts=60_000,
        neighbours=3,
        calm=0,
        rule=None,
        measure=1.5,
        incident_id="I0",
        department="",
        along=(),
        catalogue_hash="5f",
    )


def over(one: SensorFault) -> SensorFault:
    return msgspec.structs.replace(one, seq=1, transition="cleared", until=90_000)


def test_figures_count_faults_and_know_who_is_kept_apart() -> None:
    figures = FaultFigures()
    part = FaultCounter(figures).build_part("faults_prometheus", "city", None)
    part.write_batch([[fault("a"), fault("b", quarantined=False)], [over(fault("a")), fault("c")]])
    again = FaultFigures()
    FaultCounter(again).build_part("faults_prometheus", "city", part.snapshot())
    for one in (figures, again):
        apart, raised = one.families()
        assert [sample.value for sample in apart.samples] == [1]
        counts = {sample.labels[0]: sample.value for sample in raised.samples}
        assert (counts["stuck"], counts["silent"], counts["drift"]) == (2, 1, 0)


def test_the_hash_has_the_faults_that_stand_and_is_filled_again(server: RedisServer) -> None:
    content = FaultContent(Keys())
    with RedisLink(server.url) as link:
        link.send(content.commands(link, [[fault("a"), fault("b")], [over(fault("b")), fault("c")]]))
        known = hash_of(server.url, "yw:quarantine")
        assert {msgspec.json.decode(line, type=SensorFault).sensor for line in known.values()} == {"a", "c"}
        link.send([("DEL", "yw:quarantine")])
        again = FaultContent(Keys(), content.state())
        link.send(again.everything(link))
    assert hash_of(server.url, "yw:quarantine") == known
