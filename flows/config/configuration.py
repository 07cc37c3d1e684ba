"""The configuration of a live engine (``city.toml``): its sections, options, limits and examples.

The types are the reference: ``docs/configuration.md`` is written from them (`flows.config.reference`),
and ``flows.config.file`` holds a file against them.

>>> Configuration().prometheus.port, Configuration().engine.clock
(None, 'wall')
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from flows.config.kafka import KafkaSection
from flows.config.option_types import (
    ClockMode,
    Count,
    GridLevel,
    Holidays,
    Kind,
    Lanes,
    LogFormat,
    LogLanguage,
    LogLevel,
    Name,
    NotNegative,
    Port,
    Positive,
    Seconds,
    Workers,
)
from flows.config.option_types import said as _about


class CitySection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The city: where it is, what stands in it, what is computed.

    城市：位置、点位与指标。
    """

    id: Annotated[Name, _about("Id of the area that is the whole city.", "全市区域的编号。", "wuhan")] = (
        "city"
    )
    tz: Annotated[str, _about("Time zone: where midnight is.", "时区：零点在何时。", "Asia/Shanghai")] = (
        "Asia/Shanghai"
    )
    areas: Annotated[
        str | None,
        _about(
            "Areas as GeoJSON polygons; without: grid codes.",
            "区域多边形 GeoJSON；缺省按网格码。",
            "areas.geojson",
        ),
    ] = None
    sensors: Annotated[
        str | None,
        _about(
            "Sensor registry, CSV or Parquet; read again when it changes.",
            "点位台账；改动后自动重读。",
            "sensors.csv",
        ),
    ] = None
    catalogue: Annotated[
        str | None,
        _about(
            "Folder with further indicators (TOML); taken over when it changes.",
            "自有指标目录（TOML）；改动后自动生效。",
            "indicators",
        ),
    ] = None
    thresholds: Annotated[
        str | None,
        _about(
            "Levels of some areas at some times (TOML); taken over when they change.",
            "分区、分时段的预警阈值（TOML）；改动后自动生效。",
            "thresholds.toml",
        ),
    ] = None
    routing: Annotated[
        str | None,
        _about(
            "Which department gets what (TOML); without: the catalogue's.",
            "派单路由表（TOML）；缺省按指标目录。",
            "routing.toml",
        ),
    ] = None
    sla: Annotated[
        str | None,
        _about(
            "How long work may take (TOML); without: the one shipped.",
            "处置时限表（TOML）；缺省用自带的。",
            "sla.toml",
        ),
    ] = None
    grid_level: Annotated[GridLevel, _about("Level of the BeiDou grid.", "北斗网格级别。", 5)] = 5
    grid: Annotated[
        str | None,
        _about(
            "A grid of polygons instead of the BeiDou grid.", "以多边形网格代替北斗网格。", "grid.geojson"
        ),
    ] = None
    grid_code_field: Annotated[
        str | None,
        _about(
            "The property that holds a polygon's code; goes with grid.",
            "多边形编码所在属性，与 grid 同用。",
            "code",
        ),
    ] = None
    settings: Annotated[
        dict[str, float],
        _about("Numbers of the city that formulas name.", "公式引用的城市参数。", {"design_storm": 60.0}),
    ] = msgspec.field(default_factory=dict)


class FilesSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Growing files of records: lines appended to them are followed.

    持续追加的记录文件。
    """

    readings: Annotated[
        list[str],
        _about(
            "Files of readings; one that is not there yet is waited for.",
            "读数文件；尚不存在的会等待。",
            ["readings.jsonl"],
        ),
    ] = msgspec.field(default_factory=list)
    events: Annotated[list[str], _about("Files of events.", "事件文件。", ["events.jsonl"])] = msgspec.field(
        default_factory=list
    )
    feedback: Annotated[list[str], _about("Files of feedback.", "处置反馈文件。", ["feedback.jsonl"])] = (
        msgspec.field(default_factory=list)
    )


class EngineSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the engine runs.

    引擎运行方式。
    """

    out: Annotated[
        Name,
        _about(
            "Folder for rejects.jsonl, alerts.jsonl and incidents.jsonl.",
            "输出目录：拒收、告警与事件单。",
            "out",
        ),
    ] = "out"
    recovery: Annotated[
        str | None,
        _about(
            "Folder from which the engine goes on after a stop or crash.",
            "恢复目录：停机或崩溃后接续。",
            "state",
        ),
    ] = None
    snapshot_every: Annotated[
        Seconds, _about("Seconds between two recovery points.", "恢复点间隔（秒）。", 5.0)
    ] = 5.0
    clock: Annotated[
        ClockMode,
        _about(
            "wall: the machine's clock judges stamps from the future and silence; source: the records' own.",
            "wall：以本机时钟判断未来时间与静默；source：以记录自身时间判断。",
            "wall",
        ),
    ] = "wall"
    pace: Annotated[
        Positive | None,
        _about(
            "At most so many seconds of event time a second; without: as fast as records come.",
            "每秒最多推进的事件时间（秒）；缺省不限。",
            60.0,
        ),
    ] = None
    max_future: Annotated[
        NotNegative,
        _about("Seconds a stamp may be ahead of the clock.", "时间戳最多可超前的秒数。", 300.0),
    ] = 300.0
    max_series: Annotated[
        Count,
        _about(
            "Series (sensor, metric, cell) that one partition or file may bring of sensors that the registry "
            "does not name; what would make more is refused as too_many_series.",
            "单个分区或文件中未登记点位的序列数上限（点位×要素×网格）；超出者以 too_many_series 拒收。",
            250_000,
        ),
    ] = 250_000
    max_cases: Annotated[
        Count,
        _about(
            "Cases that one partition or file may bring; a record that would open one more is refused as "
            "too_many_cases. One that ended makes room 60 days after it was last heard of.",
            "单个分区或文件中的案件数上限；会新开更多案件的记录以 too_many_cases 拒收。"
            "已结案件在最后一次消息 60 天后腾出名额。",
            250_000,
        ),
    ] = 250_000
    idle_after: Annotated[
        Positive,
        _about(
            "Seconds of silence after which an input that was read to its end holds nobody up.",
            "读到末尾且静默这么多秒后，该输入不再拖住全局水位。",
            60.0,
        ),
    ] = 60.0
    batch_size: Annotated[Count, _about("Records decoded at a time.", "每批解码的记录数。", 2_500)] = 2_500
    workers: Annotated[
        Workers,
        _about(
            "Processes; their number may change at every start. Records then come from Kafka.",
            "进程数，每次启动可变；多进程须从 Kafka 读取。",
            2,
        ),
    ] = 1
    lanes: Annotated[
        Lanes | None,
        _about(
            "Parts of the city computed side by side; fixed for the life of a recovery folder.",
            "并行分片数；在恢复目录的生命期内不可变。",
            4,
        ),
    ] = None


class RedisSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where dashboards and departments read: state, alerts, the dispatch queue.

    看板与各部门读取的地方：状态、告警、处置队列。
    """

    url: Annotated[
        str | None,
        _about(
            "The server: redis://, rediss://, unix:// or sentinel; embedded starts one; without: none. "
            "Its password is YIWANG_REDIS_PASSWORD of the environment.",
            "服务器地址；embedded 表示自带一个；缺省不用。口令取自环境变量 YIWANG_REDIS_PASSWORD。",
            "redis://127.0.0.1:6379/0",
        ),
    ] = None
    prefix: Annotated[Name, _about("What all key names begin with.", "所有键名的前缀。", "yw:")] = "yw:"


class PrometheusSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Metrics for Prometheus.

    监控指标。
    """

    port: Annotated[
        Port | None,
        _about(
            "Port of the first process, which serves /metrics; process i has this port + i; without: none.",
            "首个进程的端口（/metrics），进程 i 用 port + i；缺省不开。",
            9464,
        ),
    ] = None
    host: Annotated[Name, _about("Address to listen on.", "监听地址。", "127.0.0.1")] = "127.0.0.1"


class HistorySection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Closed windows as Parquet by hour.

    按小时存档的窗口值。
    """

    folder: Annotated[
        str | None, _about("Folder of the history; without: none is kept.", "历史目录；缺省不存。", "history")
    ] = None
    kinds: Annotated[
        Annotated[list[Kind], Meta(min_length=1)],
        _about(
            "Kinds of areas that are kept.",
            "存哪些层级的区域。",
            ["street", "district", "city"],
        ),
    ] = msgspec.field(default_factory=lambda: ["cell", "community", "street", "district", "city"])
    keep: Annotated[
        str | None,
        _about("How long an hour is kept; without: for ever.", "保留多久；缺省永久。", "30d"),
    ] = None


class AnomalySection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Anomalies: values far from what their own past lets expect.

    异常：与自身历史相差很远的值。
    """

    enabled: Annotated[
        bool,
        _about(
            "Score the values of all areas; about a third more work, 1.3 kB a series.",
            "对所有区域的值打分；约多三分之一的计算，每条序列 1.3 kB。",
            example=True,
        ),
    ] = True
    budget: Annotated[
        Positive,
        _about("False alarms per 1,000 series and day.", "每千条序列每天允许的误报数。", 10.0),
    ] = 10.0
    holidays: Annotated[
        Holidays,
        _about(
            "cn: public holidays of China are like Sundays, the weekends worked for them like working days.",
            "cn：中国法定节假日按周日、调休上班日按工作日对待。",
            "cn",
        ),
    ] = "cn"
    sensors: Annotated[
        bool,
        _about(
            "Score the readings of every sensor too; 1.3 kB a series.",
            "也对每个传感器的读数打分；每条序列 1.3 kB。",
            example=True,
        ),
    ] = False
    quarantine: Annotated[
        bool,
        _about(
            "Judge the sensors of the registry, keep readings of faulty ones out; about 1.6 kB a series.",
            "判断登记传感器是否故障，故障期间的读数不计入指标；每条序列约 1.6 kB。",
            example=True,
        ),
    ] = False


class LogSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the engine says on stderr, and how.

    日志：写到标准错误输出的内容与格式。
    """

    format: Annotated[
        LogFormat,
        _about(
            "Lines for people, or one JSON object a line.",
            "console：供人阅读；json：每行一个 JSON 对象。",
            "json",
        ),
    ] = "console"
    language: Annotated[
        LogLanguage | None,
        _about("Language of messages; without: that of the environment.", "消息语言；缺省按系统环境。", "zh"),
    ] = None
    level: Annotated[LogLevel, _about("The least that is told.", "最低级别。", "warning")] = "info"


class Configuration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A whole ``city.toml``; paths are relative to the folder of the file."""

    city: CitySection = msgspec.field(default_factory=CitySection)
    files: FilesSection = msgspec.field(default_factory=FilesSection)
    engine: EngineSection = msgspec.field(default_factory=EngineSection)
    kafka: KafkaSection = msgspec.field(default_factory=KafkaSection)
    redis: RedisSection = msgspec.field(default_factory=RedisSection)
    prometheus: PrometheusSection = msgspec.field(default_factory=PrometheusSection)
    history: HistorySection = msgspec.field(default_factory=HistorySection)
    anomaly: AnomalySection = msgspec.field(default_factory=AnomalySection)
    log: LogSection = msgspec.field(default_factory=LogSection)


PATHS = (
    ("city", "areas"),
    ("city", "sensors"),
    ("city", "catalogue"),
    ("city", "thresholds"),
    ("city", "routing"),
    ("city", "sla"),
    ("city", "grid"),
    ("files", "readings"),
    ("files", "events"),
    ("files", "feedback"),
    ("kafka", "ca"),
    ("kafka", "certificate"),
    ("kafka", "key"),
    ("engine", "out"),
    ("engine", "recovery"),
    ("history", "folder"),
)
"""Options that are paths, or lists of paths."""
