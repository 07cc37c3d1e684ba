"""The host's part: files that must be readable, folders that must have room, ports that must be free."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from flows.admission.registry import read_registry
from flows.city import City
from flows.config.configuration import Configuration
from flows.decoding.columns import Floats
from flows.doctor.findings import Finding, Findings, ok, skipped, warning, wrong
from flows.live.run_options import is_kafka, options_of
from flows.replay.replaying import city_of
from geo.area_kinds import AreaKind
from geo.area_polygons import NOWHERE

LITTLE, FEW = 2 << 30, 256 << 20
"""Free bytes below which a folder is doubtful, and below which it is no use."""

_FAR = 0.05
"""Share of sensors outside all areas from which their coordinates are doubtful."""


def host(config: Configuration) -> Findings:
    """All findings on this host."""
    finding, city = _city(config)
    yield finding
    yield from _sensors(config, city)
    yield from _inputs(config)
    named = {
        "out": config.engine.out,
        "recovery": config.engine.recovery,
        "history": config.history.folder,
    }
    for name, folder in named.items():
        if folder is not None:
            yield folder_finding(f"{name}.folder", Path(folder))
    if config.engine.recovery is None:
        yield warning(
            "recovery.folder",
            ("no recovery folder is named", "未设恢复目录"),
            (
                "set engine.recovery: without it a restarted engine begins anew and reads its topics again",
                "设置 engine.recovery：否则重启后一切从头开始，并重读全部主题",
            ),
        )
    yield from ports(config)


def _city(config: Configuration) -> tuple[Finding, City | None]:
    """Catalogue, areas and grid: what is wrong with them, and the city if nothing is."""
    try:
        city = city_of(options_of(config))
    except (ValueError, OSError) as error:
        advice = (
            "correct that file, or the path in [city]; areas are GeoJSON polygons with id and kind",
            "改正该文件或 [city] 中的路径；区域文件须为带 id 与 kind 的 GeoJSON 多边形",
        )
        return wrong("city.files", (str(error), str(error)), advice), None
    count = len(city.areas.info())
    en = f"{len(city.plan.catalogue.indicators)} indicators, {count} named areas"
    zh = f"指标 {len(city.plan.catalogue.indicators)} 项，区域 {count} 个"
    return ok("city.files", en, zh), city


def _sensors(config: Configuration, city: City | None) -> Findings:
    path = config.city.sensors
    if path is None:
        yield warning(
            "city.sensors",
            ("no sensor registry is named", "未设点位台账"),
            (
                "set city.sensors, unless every reading carries lon and lat: others are unknown_location",
                "设置 city.sensors；除非每条读数自带 lon、lat，否则会以 unknown_location 拒收",
            ),
        )
        return
    try:
        registry, problems = read_registry(Path(path), config.city.tz)
    except (ValueError, OSError) as error:
        yield wrong(
            "city.sensors",
            (str(error), str(error)),
            (
                "give a CSV or Parquet file with sensor_id, lon, lat",
                "提供含 sensor_id、lon、lat 列的 CSV 或 Parquet 文件",
            ),
        )
        return
    yield _registry(len(registry), [str(problem) for problem in problems])
    if len(registry) and city is not None and config.city.areas is not None:
        yield from _outside(registry.lon, registry.lat, city)


def _registry(count: int, problems: list[str]) -> Finding:
    if not count:
        return wrong(
            "city.sensors",
            ("the registry has no usable row", "台账中没有可用的行"),
            ("fill it: " + "; ".join(problems[:3]), "补全台账：" + "；".join(problems[:3])),
        )
    if problems:
        shown = "; ".join(problems[:3])
        return warning(
            "city.sensors",
            (
                f"{count:,} sensors; {len(problems):,} rows are left out: {shown}",
                f"点位 {count:,} 个；有 {len(problems):,} 行被略去：{shown}",
            ),
            ("correct those rows", "改正这些行"),
        )
    return ok("city.sensors", f"{count:,} sensors", f"点位 {count:,} 个")


def _outside(lon: Floats, lat: Floats, city: City) -> Findings:
    """Sensors that lie in no district: as a rule their coordinates are of another datum, or swapped."""
    where = city.areas.locate(city.grid.cells(lon, lat))[:, AreaKind.DISTRICT - 1]
    uids, count = np.unique(where, return_counts=True)
    ids = city.areas.ids(AreaKind.DISTRICT, uids)
    outside = sum(n for one, n in zip(ids, count.tolist(), strict=True) if one in {"", NOWHERE.id})
    share = outside / len(lon)
    if share > _FAR:
        yield warning(
            "city.places",
            (f"{share:.0%} of the sensors lie in no district", f"{share:.0%} 的点位不在任何区内"),
            (
                "see whether lon and lat are swapped, or the column crs is missing (gcj02, bd09)",
                "检查经纬度是否写反，或缺少坐标系列 crs（gcj02、bd09）",
            ),
        )


def _inputs(config: Configuration) -> Findings:
    files = config.files
    paths = [Path(one) for one in (*files.readings, *files.events, *files.feedback)]
    if not paths and not is_kafka(config):
        yield wrong(
            "inputs",
            ("there is no input: no files, no Kafka", "没有任何输入：既无文件，也无 Kafka"),
            (
                "set kafka.bootstrap_servers, or files.readings",
                "设置 kafka.bootstrap_servers 或 files.readings",
            ),
        )
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        yield warning(
            "inputs",
            (f"not there yet: {', '.join(absent)}", f"尚不存在：{'、'.join(absent)}"),
            ("they are waited for; see whether the paths are right", "引擎会等待；请核对路径"),
        )
    if paths and config.kafka.bootstrap_servers is not None:
        yield warning(
            "inputs",
            ("files are named, so topics are not read", "已指定文件，因此不读取主题"),
            ("remove [files] to read from Kafka", "要从 Kafka 读取，请删去 [files]"),
        )


def folder_finding(
    check: str, folder: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> Finding:
    """Whether files can be written in a folder, or in the nearest one above it that is there."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        if not place.is_dir():
            raise NotADirectoryError(20, "is no folder", str(place))
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"\0" * 4096)
            file.flush()
        room = free(place)
    except OSError as error:
        return wrong(
            check,
            (f"{folder} cannot be written to ({error.strerror})", f"{folder} 不可写（{error.strerror}）"),
            (
                "give its user the right to write there, make room, or name another folder",
                "为运行用户授予写权限、腾出空间，或改用其他目录",
            ),
        )
    found = (f"{folder}: {room / 2**30:,.1f} GB are free", f"{folder}：剩余 {room / 2**30:,.1f} GB")
    advice = (
        "make room: a full disk stops the engine at its next recovery point",
        "请腾出空间：磁盘写满后，引擎会在下一个恢复点停下",
    )
    if room < FEW:
        return wrong(check, found, advice)
    return warning(check, found, advice) if room < LITTLE else ok(check, *found)


def ports(config: Configuration) -> Findings:
    """Whether the ports of the metrics are free, one for each process."""
    first, address = config.prometheus.port, config.prometheus.host
    if first is None:
        yield skipped("ports", "no metrics are served", "未开启指标端口")
        return
    numbers = range(first, first + config.engine.workers)
    taken = [number for number in numbers if not _free(address, number)]
    if taken:
        shown = ", ".join(map(str, taken))
        yield wrong(
            "ports",
            (
                f"{address}: {shown} cannot be listened on: taken, or no address of this host",
                f"{address}：端口 {shown} 无法监听：已被占用，或地址不属于本机",
            ),
            (
                "stop what listens there (an engine that runs?), or change prometheus.port or host",
                "停掉占用者（是否已有引擎在运行？），或改 prometheus.port、host",
            ),
        )
    else:
        yield ok(
            "ports", f"{address}:{numbers[0]} to {numbers[-1]}", f"{address}:{numbers[0]} 至 {numbers[-1]}"
        )


def _free(address: str, port: int) -> bool:
    try:
        with socket.create_server((address, port)):
            return True
    except OSError:
        return False
