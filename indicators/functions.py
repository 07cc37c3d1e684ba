"""The one table of functions: name, parameters, result, cost, meaning and example of each.

The checker reads what is allowed from here, the reference in ``docs/formulas.md`` is written from here.

>>> len(FUNCTIONS), FUNCTIONS["sum"].signature
(60, 'sum(m, [window], [offset=], [need=], [cover=])')
"""

from indicators.case_functions import CASES
from indicators.expression import Kind
from indicators.series_functions import HISTORY, SERIES
from indicators.signatures import Function, Parameter, Role, Takes

STATUSES = (
    "reported",
    "accepted",
    "rejected",
    "dispatched",
    "returned",
    "arrived",
    "handled",
    "verified",
    "rework",
    "closed",
    "feedback_good",
    "feedback_bad",
)
"""The statuses of a case, in the usual order."""

SECTIONS = {
    "series": ("Readings to series", "读数 → 序列"),
    "area": ("Rows to an area", "行 → 区域"),
    "cases": ("Cases", "案件"),
    "elementwise": ("Elementwise, context, tables", "逐元素、上下文、标准表"),
    "history": ("History", "历史"),
}
"""The groups of the table, in English and Chinese."""

_AREA, _SCALAR = Kind.AREA, Kind.SCALAR
_NUMBER, _FLAG = Role.NUMBER, Role.FLAG


def _area(name: str, en: str, zh: str, example: str, *parameters: Parameter) -> Function:
    return Function(name, "area", parameters, _AREA, _NUMBER, "-", en, zh, example)


_X = Parameter("x", Takes.ROWS)
_F = Parameter("f", Takes.ROW_FLAG)

_REDUCTIONS = (
    _area("total", "sum of the rows", "各行之和", "total(ds_records_due)", _X),
    _area("average", "mean with equal weight per row", "各行等权平均", "average(mean(pm25))", _X),
    _area("highest", "greatest row", "最大值", "highest(median(ponding_depth))", _X),
    _area("lowest", "smallest row", "最小值", "lowest(mean(visibility))", _X),
    _area(
        "quantile",
        "quantile, q from 0 to 1; rule of `percentile`",
        "分位数，q 在 0 与 1 之间，规则同 percentile",
        "quantile(median(tap_pressure), 0.05)",
        _X,
        Parameter("q", Takes.FRACTION),
    ),
    _area(
        "ratio",
        "sum(a) / sum(b) over rows having both",
        "两者都有的行上 Σa / Σb",
        "ratio(twm(ev_charger_occupied), last(ev_charger_total))",
        Parameter("a", Takes.PAIRED),
        Parameter("b", Takes.PAIRED),
    ),
    _area(
        "share",
        "weight of rows where f is true / weight of rows where it is known, 0 to 1",
        "f 为真的行权重 / f 已知的行权重，0 至 1",
        "share(last(bin_fill) >= 90)",
        _F,
        Parameter("weight", Takes.PAIRED, None),
    ),
    _area(
        "number",
        "rows for which f is true, or cases of a set",
        "f 为真的行数，或案件集合的件数",
        "number(entered(ev_traffic_accident, 'reported'))",
        Parameter("f", Takes.COUNTABLE),
    ),
    Function(
        "clusters",
        "area",
        (
            Parameter("p", Takes.POINTS, many=True),
            Parameter("radius", Takes.POSITIVE, None, keyword=True),
            Parameter("within", Takes.DURATION, keyword=True),
        ),
        _AREA,
        _NUMBER,
        "K",
        "groups of points linked within `radius` metres (default: the same cell) and `within`",
        "按 radius 米（缺省同一网格）与 within 时限单链聚成的组数",
        "clusters(entered(ev_dispute, 'reported'), within='30m')",
    ),
    Function(
        "apart",
        "area",
        (
            Parameter("c", Takes.CASES),
            Parameter("f", Takes.SERIES_FLAG),
            Parameter("radius", Takes.POSITIVE, keyword=True),
        ),
        _AREA,
        _NUMBER,
        "K",
        "cases farther than `radius` metres from every flagged sensor of the area",
        "与区域内所有报警传感器距离都超过 radius 米的案件数",
        "apart(open(ev_manhole), max(manhole_open) == 1, radius=20)",
    ),
    Function(
        "largest",
        "area",
        (Parameter("c", Takes.CASES),),
        _AREA,
        _NUMBER,
        "K",
        "cases of the greatest group by place",
        "同一地点案件数的最大值",
        "largest(entered(ev_ili_case, 'reported'))",
    ),
)


def _elementwise(name: str, en: str, zh: str, example: str, *parameters: Parameter) -> Function:
    return Function(name, "elementwise", parameters, None, _NUMBER, "-", en, zh, example)


def _of(name: str, en: str, zh: str, example: str, *more: Parameter) -> Function:
    return _elementwise(name, en, zh, example, Parameter("x", Takes.TERM, many=True), *more)


def _keywords(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, Takes.VALUE, None, keyword=True) for name in names)


_VALUE = Parameter("x", Takes.VALUE)

_ELEMENTWISE = (
    _elementwise(
        "clip",
        "x held between the bounds; either may be left out",
        "限制在上下界之间，可只给一个",
        "clip(highest(mean(pm25)), 0, hi=500)",
        _VALUE,
        Parameter("lo", Takes.VALUE, None),
        Parameter("hi", Takes.VALUE, None),
    ),
    _elementwise(
        "piecewise",
        "linear between the points, clamped outside",
        "分段线性插值，两端截断",
        "piecewise(average(mean(pm25)), (0, 0), (35, 50), (75, 100))",
        _VALUE,
        Parameter("point", Takes.POINT, many=True, least=2),
    ),
    Function(
        "only",
        "elementwise",
        (Parameter("x", Takes.ANY), Parameter("f", Takes.FLAG)),
        None,
        None,
        "-",
        "x where f is true, else unknown",
        "f 为真时取 x，否则未知",
        "average(only(mean(pm25), mean(pm25) > 0))",
    ),
    Function(
        "present",
        "elementwise",
        (Parameter("x", Takes.ANY),),
        None,
        _FLAG,
        "-",
        "flag: x is known",
        "标志：x 已知",
        "number(present(last(bin_fill)))",
    ),
    _of(
        "max_of",
        "greatest of those known",
        "已知者中的最大",
        "max_of(highest(max(pm25)), highest(max(pm10)))",
    ),
    _of(
        "min_of", "smallest of those known", "已知者中的最小", "min_of(lowest(min(pm25)), lowest(min(pm10)))"
    ),
    _of(
        "sum_of",
        "sum of those known; flags count 1 or 0",
        "已知者之和，标志计 1 或 0",
        "sum_of(total(pm25) > 1, 2)",
    ),
    _of(
        "mean_of",
        "mean of those known; weights of missing ones are spread in proportion",
        "已知者的（加权）平均，缺失者的权重按比例分摊",
        "mean_of(highest(mean(pm25)), highest(mean(pm10)), weights=(0.7, 0.3))",
        Parameter("weights", Takes.WEIGHTS, None, keyword=True),
    ),
    _elementwise("abs", "magnitude", "绝对值", "highest(abs(mean(bridge_strain)))", _VALUE),
    _elementwise("log10", "decimal logarithm", "常用对数", "log10(1 + highest(max(sewage_virus)))", _VALUE),
    Function(
        "clock",
        "elementwise",
        (Parameter("span", Takes.CLOCK),),
        _SCALAR,
        _FLAG,
        "-",
        "flag: the window's end lies in (from, to] local time",
        "标志：窗口末在当地时间 (起, 止] 之内",
        "70 * average(mean(pm25)) if clock('06:00-22:00') else average(mean(pm25))",
    ),
    Function(
        "setting",
        "elementwise",
        (Parameter("name", Takes.NAME), Parameter("default", Takes.NUMBER)),
        _SCALAR,
        _NUMBER,
        "-",
        "a number of the city profile",
        "城市配置中的数值",
        "highest(mean(effluent_nh3n)) / setting('effluent_nh3n_limit', 5)",
    ),
    _elementwise(
        "aqi",
        "air quality index of HJ 633-2012, ug/m3 and CO mg/m3, missing ones skipped",
        "空气质量指数（HJ 633-2012），缺项跳过",
        "aqi(pm25=average(mean(pm25)), o3=average(mean(o3)))",
        *_keywords("pm25", "pm10", "so2", "no2", "o3", "co"),
    ),
    _elementwise(
        "heat_index",
        "felt temperature in degC of degC and % (US National Weather Service)",
        "体感温度（℃），由气温与相对湿度",
        "heat_index(average(air_temperature), average(relative_humidity))",
        Parameter("temperature", Takes.VALUE),
        Parameter("humidity", Takes.VALUE),
    ),
    _elementwise(
        "water_class",
        "class of GB 3838-2002, 1 to 5, 6 worse, 7 black and odorous",
        "地表水类别（GB 3838-2002），6 劣 V 类，7 黑臭",
        "highest(water_class(mean(water_do), mean(water_codmn), mean(water_nh3n), mean(water_tp)))",
        *(Parameter(name, Takes.VALUE) for name in ("do", "codmn", "nh3n", "tp")),
    ),
    _elementwise(
        "fire_weather",
        "forest fire weather index HTZ of LY/T 1172-95",
        "森林火险天气指数 HTZ（LY/T 1172-95）",
        "fire_weather(tmax=quantile(max(air_temperature), 0.5), rhmin=quantile(min(relative_humidity), 0.5))",
        *_keywords("tmax", "rhmin", "dry_days", "wind", "phenology"),
    ),
)

FUNCTIONS: dict[str, Function] = {f.name: f for f in (*SERIES, *_REDUCTIONS, *CASES, *_ELEMENTWISE, *HISTORY)}
"""Name -> function, in the order of the reference."""
