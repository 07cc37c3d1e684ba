"""Redis beside the other outputs of a flow: the state, the alerts and the incidents of a run."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flows.city import City
from flows.city_flow import Tap
from flows.recovery.snapshots import freeze, thaw
from flows.replay.profile import timed
from flows.stages.area_step import AREAS
from flows.steps import CITY
from geo.areas import AreaInfo, AreaKind
from sinks.dispatch_sink import IncidentContent
from sinks.redis_anomalies import AnomalyContent
from sinks.redis_faults import FaultContent
from sinks.redis_parts import AlertContent, Content, RedisSettings, RedisSink, ValueContent


def redis_settings(url: str, *, durable: bool) -> RedisSettings:
    """How the sinks of a run reach Redis; ``durable``: with snapshots."""
    return RedisSettings(url, freeze=freeze if durable else None, thaw=thaw, timed=timed)


def redis_taps(  # noqa: PLR0913 - what runs, where it goes, and what of it
    city: City,
    shards: list[str],
    settings: RedisSettings,
    started: int,
    *,
    scored: bool = False,
    judged: bool = False,
) -> tuple[Tap, ...]:
    """The readers that mirror a run in Redis; ``started`` in epoch ms, for ``yw:meta``.

    ``scored``: values with their scores, and anomalies, of a flow that has both; ``judged``: faulty sensors.
    """
    keys = settings.keys
    meta = _meta(city, started)

    def describe(kind: str, ids: list[str]) -> list[AreaInfo]:
        found = AreaKind.of(kind)
        return city.areas.describe(found, city.areas.uids(found, ids))

    def values(part: str, state: Any) -> Content:  # noqa: ANN401 - plain data
        if part != AREAS:
            return ValueContent(keys, describe, state=state)
        return ValueContent(keys, describe, meta=meta, known=city.areas.info(), state=state)

    def alerts(part: str, state: Any) -> Content:  # noqa: ANN401
        del part, state
        return AlertContent(keys)

    def incidents(part: str, state: Any) -> Content:  # noqa: ANN401
        del part
        return IncidentContent(keys, state)

    def anomalies(part: str, state: Any) -> Content:  # noqa: ANN401
        del part, state
        return AnomalyContent(keys)

    def faults(part: str, state: Any) -> Content:  # noqa: ANN401
        del part
        return FaultContent(keys, state)

    more: tuple[Tap, ...] = ()
    if scored:
        more = (Tap("anomalies_redis", "anomalies", RedisSink(settings, [CITY], anomalies)),)
    if judged:
        more = (*more, Tap("faults_redis", "faults", RedisSink(settings, [CITY], faults)))
    return (
        *more,
        Tap("values_redis", "scored" if scored else "values", RedisSink(settings, [*shards, AREAS], values)),
        Tap("alerts_redis", "alerts", RedisSink(settings, [CITY], alerts)),
        Tap("incidents_redis", "incidents", RedisSink(settings, [CITY], incidents)),
    )


def _meta(city: City, started: int) -> dict[str, str]:
    catalogue = city.plan.catalogue
    return {
        "catalogue_version": catalogue.version,
        "catalogue_hash": catalogue.hash,
        "city": city.areas.city["id"],
        "tz": city.calendar.tz,
        "started": str(started),
        "engine_version": version("yiwang"),
    }
