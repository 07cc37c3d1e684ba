"""The part of Redis: whether it answers, keeps what it is told, and has room."""

from __future__ import annotations

import time

from flows.config.configuration import Configuration
from flows.doctor.findings import Finding, Findings, ok, skipped, warning, wrong
from sinks.redis_link import RedisAwayError, RedisError, RedisLink

_PATIENCE = 3.0
_OLDEST = (6, 2)
_SKEW_S = 2.0

Info = dict[str, str]


def redis(config: Configuration) -> Findings:
    """All findings on the Redis of a configuration."""
    url = config.redis.url
    if url is None or url == "embedded":
        yield skipped("redis", "no server of one's own is named", "未指定自有的 Redis 服务器")
        return
    try:
        link = RedisLink(url, patience=_PATIENCE)
    except ValueError as error:
        yield wrong("redis.reach", (str(error), str(error)), _URL)
        return
    with link:
        try:
            text, now = link.send([("INFO",), ("TIME",)])
        except (RedisAwayError, RedisError) as error:
            yield wrong("redis.reach", (str(error), str(error)), _URL)
            return
        info = _info(text)
        yield _version(info, link.shown)
        yield _role(info)
        yield _persistence(info, _option(link, "save"))
        yield _memory(info)
        yield _clock(int(now[0]) + int(now[1]) / 1e6 - time.time())


_URL = (
    "start it, or correct redis.url: address, port, user and password (redis://USER:PASSWORD@HOST:6379/0)",
    "启动 Redis，或改正 redis.url 的地址、端口、用户与口令（redis://用户:口令@主机:6379/0）",
)


def _info(text: bytes) -> Info:
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def _option(link: RedisLink, name: str) -> str | None:
    """A setting of the server; None where its user may not ask."""
    try:
        (found,) = link.send([("CONFIG", "GET", name)])
    except RedisError:
        return None
    return found[1].decode() if len(found) > 1 else None


def _version(info: Info, shown: str) -> Finding:
    version = info.get("redis_version", "0.0")
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers < _OLDEST:
        return wrong(
            "redis.reach",
            (f"{shown} is Redis {version}", f"{shown} 的版本为 {version}"),
            ("install Redis 6.2 or later", "请安装 Redis 6.2 或更高版本"),
        )
    return ok("redis.reach", f"{shown}: Redis {version}", f"{shown}：Redis {version}")


def _role(info: Info) -> Finding:
    if info.get("role") == "slave":
        master = f"{info.get('master_host')}:{info.get('master_port')}"
        return wrong(
            "redis.role",
            (f"it is a replica of {master} and takes no writes", f"它是 {master} 的从库，不能写入"),
            (
                "name the master, or the Sentinels: redis+sentinel://HOST:26379/SERVICE/0",
                "改指主库，或使用哨兵地址 redis+sentinel://主机:26379/服务名/0",
            ),
        )
    return ok("redis.role", "it takes writes", "可写")


def _persistence(info: Info, save: str | None) -> Finding:
    appends = info.get("aof_enabled") == "1"
    if appends or save:
        how = "appendonly" if appends else f"save {save}"
        if (
            info.get("rdb_last_bgsave_status", "ok") != "ok"
            or info.get("aof_last_write_status", "ok") != "ok"
        ):
            return wrong(
                "redis.persistence",
                ("its last write to disk has failed", "最近一次落盘失败"),
                ("see its log; make room on its disk", "查看其日志，腾出磁盘空间"),
            )
        return ok("redis.persistence", f"it keeps what it is told ({how})", f"已持久化（{how}）")
    if save is None:
        return skipped(
            "redis.persistence",
            "this user may not ask for it (CONFIG GET), and there is no append-only file",
            "该用户无权查询（CONFIG GET），且未开启 AOF",
        )
    return wrong(
        "redis.persistence",
        (
            "it keeps nothing on disk: after a restart, what departments have taken and acknowledged is lost",
            "未持久化：重启后各部门的取单与签收记录会丢失",
        ),
        ("set appendonly yes", "设置 appendonly yes"),
    )


def _memory(info: Info) -> Finding:
    policy, most = info.get("maxmemory_policy", "noeviction"), int(info.get("maxmemory", "0"))
    if policy == "noeviction":
        return ok("redis.eviction", "it forgets nothing by itself", "不会自行淘汰数据")
    found = (
        f"maxmemory-policy is {policy}, maxmemory {most / 2**20:,.0f} MB",
        f"maxmemory-policy 为 {policy}，maxmemory {most / 2**20:,.0f} MB",
    )
    advice = (
        "set maxmemory-policy noeviction: it would drop queue entries and values in silence",
        "设置 maxmemory-policy noeviction：否则会无声丢弃派单与指标值",
    )
    return wrong("redis.eviction", found, advice) if most else warning("redis.eviction", found, advice)


def _clock(ahead: float) -> Finding:
    if abs(ahead) < _SKEW_S:
        return ok("redis.clock", f"{ahead:+.1f} s from ours", f"与本机相差 {ahead:+.1f} 秒")
    return warning(
        "redis.clock",
        (f"its clock is {ahead:+.1f} s from ours", f"其时钟与本机相差 {ahead:+.1f} 秒"),
        ("synchronise both hosts by NTP", "两台主机均请用 NTP 校时"),
    )
