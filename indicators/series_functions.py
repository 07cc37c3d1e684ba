"""Rows of the function table: aggregates of one sensor's readings, and what looks into the past.

>>> [f.name for f in SERIES][:3]
['count', 'sum', 'mean']
"""

from indicators.expression import Kind
from indicators.signatures import Function, Parameter, Role, Takes

_M = Parameter("m", Takes.READINGS)
_OFFSET = Parameter("offset", Takes.DURATION, None, keyword=True)
_WINDOWED = (
    Parameter("window", Takes.DURATION, None),
    _OFFSET,
    Parameter("need", Takes.NEED, None, keyword=True),
    Parameter("cover", Takes.FRACTION, None, keyword=True),
)
_PER = Parameter("per", Takes.DURATION, "1h", keyword=True)
_STEP = Parameter("step", Takes.DURATION, None, keyword=True)
_LIMITS = (Parameter("lo", Takes.LIMIT), Parameter("hi", Takes.LIMIT))
_BETWEEN = Parameter("between", Takes.CLOCK, keyword=True)
_SPAN = Parameter("window", Takes.DURATION)


def _series(name: str, cost: str, en: str, zh: str, example: str, *own: Parameter) -> Function:
    parameters = (*(own or (_M,)), *_WINDOWED)
    return Function(name, "series", parameters, Kind.SERIES, Role.NUMBER, cost, en, zh, example)


def _held(name: str, cost: str, en: str, zh: str, example: str, *own: Parameter) -> Function:
    parameters = (_M, *own, *_WINDOWED)
    return Function(name, "series", parameters, Kind.SERIES, Role.NUMBER, cost, en, zh, example, holds=True)


SERIES: tuple[Function, ...] = (
    _series(
        "count",
        "A",
        "readings, or readings for which a comparison is true",
        "读数个数，或满足比较条件的读数个数",
        "count(device_heartbeat) >= 1",
        Parameter("m", Takes.COUNTED),
    ),
    _series("sum", "A", "sum of the readings", "读数之和", "sum(rain_1m, '3h', cover=0.8)"),
    _series("mean", "A", "plain mean, not time-weighted", "算术平均（不按时间加权）", "mean(visibility)"),
    _series("min", "A", "smallest reading", "最小读数", "min(relative_humidity)"),
    _series("max", "A", "greatest reading", "最大读数", "max(tank_level)"),
    Function(
        "last",
        "series",
        (_M, _OFFSET),
        Kind.SERIES,
        Role.NUMBER,
        "A",
        "latest reading, for 3 sampling periods (references: 48 h); knows no window",
        "最新读数，有效期 3 个采样周期（参考量 48 小时），不看窗口",
        "last(parking_total)",
        holds=True,
    ),
    _held(
        "twm", "R", "time-weighted mean of the held value", "保持值的时间加权平均", "twm(parking_occupied)"
    ),
    _held(
        "observed",
        "R",
        "time covered by held values, s",
        "有保持值的时长（秒）",
        "observed(cold_temperature)",
    ),
    _held(
        "time_outside",
        "R",
        "seconds held below lo or above hi; an unknown limit is not tested",
        "保持值低于 lo 或高于 hi 的秒数；未知限值不判",
        "time_outside(cold_temperature, last(cold_temperature_min) - 1, last(cold_temperature_max) + 1)",
        *_LIMITS,
    ),
    _series("leq", "R", "energy mean of decibels", "分贝的能量平均", "leq(site_noise_laeq, need='15m')"),
    _series(
        "harmonic_mean", "R", "n / sum(1 / max(v, 1))", "调和平均，读数下限取 1", "harmonic_mean(road_speed)"
    ),
    _series("median", "R", "median", "中位数", "median(ponding_depth)"),
    _series(
        "percentile",
        "R",
        "percentile: k = p% of n; k whole: mean of the k-th and next, else the next above",
        "百分位数：k = n 的 p%，整数取第 k 与 k+1 个之均值，否则向上取",
        "percentile(gas_lel, 95)",
        _M,
        Parameter("p", Takes.RANK),
    ),
    Function(
        "slope",
        "series",
        (_M, *_WINDOWED, _PER, _STEP),
        Kind.SERIES,
        Role.NUMBER,
        "R/A",
        "Theil-Sen slope per `per`; with `step` over step means",
        "Theil–Sen 斜率，单位时间 per；给出 step 时用步内均值",
        "slope(ground_settlement, per='1d', need=12)",
    ),
    Function(
        "seen",
        "series",
        (Parameter("m", Takes.METRIC), _SPAN),
        Kind.SERIES,
        Role.FLAG,
        "A",
        "flag: a reading in the span, and not retired",
        "标志：时段内有读数且未退役",
        "seen(device_heartbeat, '7d')",
    ),
    Function(
        "lowest_mean",
        "series",
        (Parameter("m", Takes.METRIC), _SPAN, _BETWEEN),
        Kind.SERIES,
        Role.NUMBER,
        "H",
        "lowest mean of sub-windows inside the last complete clock span",
        "最近一个完整时段内各子窗口均值的最小值",
        "lowest_mean(dma_inflow, '1h', between='02:00-04:00')",
        holds=True,
    ),
    Function(
        "despike",
        "series",
        (Parameter("m", Takes.METRIC), Parameter("factor", Takes.POSITIVE)),
        Kind.READINGS,
        Role.NUMBER,
        "R",
        "the readings less those above `factor` times every neighbour; inside an aggregate",
        "剔除高于所有相邻读数 factor 倍的孤立尖峰；用于聚合函数内",
        "max(despike(wind_gust, 2))",
        holds=True,
    ),
)
"""Readings to a value per series."""

_DAYS, _NEED_DAYS = Parameter("days", Takes.WHOLE), Parameter("need", Takes.WHOLE)
_FLOOR = Parameter("floor", Takes.POSITIVE, None, keyword=True)
_Y = Parameter("x", Takes.AREA)


def _history(name: str, gives: Kind, en: str, zh: str, example: str, *parameters: Parameter) -> Function:
    return Function(name, "history", parameters, gives, Role.NUMBER, "H", en, zh, example)


HISTORY: tuple[Function, ...] = (
    _history(
        "robust_z",
        Kind.AREA,
        "distance from the median of the same window on previous days, in robust deviations",
        "与前若干日同窗口中位数的稳健标准差距离",
        "robust_z(number(entered(ev_hotline, 'reported')), days=28, need=7)",
        _Y,
        _DAYS,
        _NEED_DAYS,
        _FLOOR,
    ),
    _history(
        "zscore",
        Kind.AREA,
        "distance from the mean of days lag+1 to lag+days, in standard deviations",
        "与 lag 日前若干日均值的标准差距离",
        "zscore(number(entered(ev_fever_visit, 'reported')), days=7, lag=2, need=7, floor=0.5)",
        _Y,
        _DAYS,
        Parameter("lag", Takes.LAG, 0, keyword=True),
        Parameter("need", Takes.WHOLE, keyword=True),
        Parameter("floor", Takes.POSITIVE, keyword=True),
    ),
    _history(
        "same_hour",
        Kind.SERIES,
        "median over previous weeks at the same hour of the week",
        "前几周同星期同小时的中位数",
        "ratio(sum(mall_footfall), same_hour(sum(mall_footfall), weeks=4, need=2))",
        Parameter("x", Takes.SERIES),
        Parameter("weeks", Takes.WHOLE),
        _NEED_DAYS,
    ),
    _history(
        "running_percentile",
        Kind.SERIES,
        "percentile of step means over the span before the last whole step",
        "最近整步之前时段内步均值的百分位数",
        "highest(running_percentile(bridge_strain, 50, '7d', step='1h', need='1d'))",
        Parameter("m", Takes.METRIC),
        Parameter("p", Takes.RANK),
        Parameter("span", Takes.DURATION),
        Parameter("step", Takes.DURATION, keyword=True),
        Parameter("need", Takes.DURATION, keyword=True),
    ),
    _history(
        "streak",
        Kind.AREA,
        "how many windows in a row, counted back by `step`, have f true",
        "按 step 往回数 f 连续为真的窗口数",
        "streak(quantile(sum(rain_1m), 0.5) < 0.1, '1d', cap=10)",
        Parameter("f", Takes.AREA_FLAG),
        Parameter("step", Takes.DURATION),
        Parameter("cap", Takes.WHOLE),
    ),
    _history(
        "peak",
        Kind.AREA,
        "greatest value of x over the window's sub-windows of length `step`",
        "窗口内各 step 子窗口上 x 的最大值",
        "peak(total(twm(grid_load)), '15m')",
        _Y,
        Parameter("step", Takes.DURATION),
    ),
)
"""Values compared with earlier windows."""
