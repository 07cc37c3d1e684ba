"""A picture of a city in its wettest hour → SVG: areas, sensors, rain, and how deep the water stands.

Two maps, the whole city and its middle; streets are tinted by the rain of the hour, circles are the ponding
gauges that have seen water, in the colours of the catalogue's levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sim.city import HOUR_MS, City
from sim.device_classes import METRIC_INDEX
from sim.drivers import STEP_MS
from sim.regions import CENTRE, DEGREE_KM, OUTLINE, Level

Floats = NDArray[np.float64]

WIDTH, HEIGHT, MAP, TOP, MARGIN = 1420, 920, 670, 96, 20
"""Pixels: of the picture, of a map's side, of the heading, between."""

MIDDLE_KM = 13.0
"""Half the side of the second map, km."""

RAIN_MM = (1.0, 10.0, 20.0, 30.0, 50.0, 80.0)
RAIN_COLOURS = ("#f6f8fa", "#dbeafe", "#bfdbfe", "#93c5fd", "#60a5fa", "#3b82f6", "#1e40af")
"""Rain of an hour at which the tint changes, mm, and the tints."""

DEPTHS_M = (0.1, 0.15, 0.25, 0.4)
DEPTH_COLOURS = ("#0969da", "#d4a72c", "#e16f24", "#cf222e")
"""Levels of drainage.ponding_depth_max, m, and the colours of blue, yellow, orange and red."""

SENSORS_SHOWN = 6_000
"""At most so many sensors are drawn, evenly taken from all."""

_LABEL = 'text-anchor="middle" font-weight="bold" stroke="#ffffff" stroke-width="3" paint-order="stroke"'

FONTS = "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif"


@dataclass(frozen=True, slots=True)
class Map:
    """A square map: its left edge in pixels, its middle in degrees, pixels per km."""

    left: float
    middle: tuple[float, float]
    scale: float

    def pixels(self, places: Floats) -> Floats:
        """Pixels of lon and lat, float64 [n, 2]."""
        km = (places - np.array(self.middle)) * DEGREE_KM * [1.0, -1.0]
        pixels: Floats = km * self.scale + [self.left + MAP / 2, TOP + MAP / 2]
        return pixels

    def holds(self, pixels: Floats) -> NDArray[np.bool_]:
        """Which pixels lie on the map."""
        x, y = pixels.T
        across = (x >= self.left) & (x <= self.left + MAP)
        on: NDArray[np.bool_] = across & (y >= TOP) & (y <= TOP + MAP)
        return on


@dataclass(frozen=True, slots=True, eq=False)
class Hour:
    """An hour of the city: its end (ms), rain in mm by street, gauges that saw water and how deep, m."""

    end: int
    rain: Floats
    gauges: NDArray[np.intp]
    depth: Floats


def picture(city: City) -> str:
    """The SVG of a city in the hour in which most rain falls.

    >>> svg = picture(City(seed=1, sensors=100, hours=1.0))
    >>> svg.startswith("<svg"), svg.count("</svg>")
    (True, 1)
    """
    hour = wettest(city)
    whole = Map(MARGIN, tuple(((OUTLINE.max(axis=0) + OUTLINE.min(axis=0)) / 2).tolist()), _whole_scale())
    middle = Map(MAP + 3 * MARGIN, tuple(CENTRE.tolist()), MAP / (2 * MIDDLE_KM))
    lines = [
        *_head(city, hour),
        *_map(city, hour, whole),
        *_map(city, hour, middle),
        *_legend(city),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def wettest(city: City) -> Hour:
    """The hour in which most rain falls on the city, all of it if it is shorter."""
    drivers = city.drivers
    times = drivers.times
    steps = min(HOUR_MS, city.end - city.start) // STEP_MS
    ends = np.flatnonzero((times >= city.start + steps * STEP_MS) & (times <= city.end))
    total = drivers.fields["rain_sum"].astype(np.float64)
    fallen = total[ends] - total[ends - steps]
    best = int(fallen.mean(axis=1).argmax())
    end = int(times[ends[best]])
    return Hour(end, fallen[best], *_depths(city, end - steps * STEP_MS, end))


def _depths(city: City, begin: int, end: int) -> tuple[NDArray[np.intp], Floats]:
    """The ponding gauges that measured a centimetre or more in [begin, end), and the most of each."""
    own = city.devices.sending("ponding_depth")
    deepest = np.zeros(own.stop - own.start)
    for number in range((begin - city.start) // city.block_ms, -((city.start - end) // city.block_ms)):
        readings = city.block(number).readings
        within = (readings.ts >= begin) & (readings.ts < end)
        rows = within & (readings.metric == METRIC_INDEX["ponding_depth"])
        np.maximum.at(deepest, readings.device[rows] - own.start, readings.value[rows])
    wet = np.flatnonzero(deepest >= 0.01)
    order = wet[np.argsort(deepest[wet], kind="stable")]
    return order + own.start, deepest[order]


def _whole_scale() -> float:
    km = (OUTLINE.max(axis=0) - OUTLINE.min(axis=0)) * DEGREE_KM
    return float(0.96 * MAP / km.max())


def _head(city: City, hour: Hour) -> Iterator[str]:
    end = datetime.fromtimestamp(hour.end / 1000, UTC).astimezone(ZoneInfo(city.tz))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="{FONTS}" font-size="13" fill="#1f2328">'
    )
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    yield _text(MARGIN, 36, "模拟城市:最湿的一小时 The simulated city in its wettest hour", 'font-size="22"')
    about = (
        f"到 to {end:%Y-%m-%d %H:%M} · 种子 seed {city.seed} · {len(city.devices):,} 个传感器 sensors · "
        "区划为真实代码与名称,边界为泰森多边形近似,并非真实边界 "
        "real codes and names, Voronoi areas, not boundaries"
    )
    yield _text(MARGIN, 62, about, 'fill="#59636e"')
    yield _text(MARGIN, 86, "全市 the whole city")
    yield _text(MAP + 3 * MARGIN, 86, f"中心城区 the middle, {2 * MIDDLE_KM:g} km across")


def _map(city: City, hour: Hour, on: Map) -> Iterator[str]:
    clip = f"clip{on.left:.0f}"
    yield f'<clipPath id="{clip}"><rect x="{on.left:.0f}" y="{TOP}" width="{MAP}" height="{MAP}"/></clipPath>'
    yield f'<g clip-path="url(#{clip})">'
    regions = city.regions
    tint = np.searchsorted(np.array(RAIN_MM), hour.rain, side="right")
    for colour in range(len(RAIN_COLOURS)):
        rings = [regions.streets.rings[i] for i in np.flatnonzero(tint == colour)]
        yield _path(rings, on, f'fill="{RAIN_COLOURS[colour]}" stroke="#c9d1d9" stroke-width="0.5"')
    yield _path(regions.districts.rings, on, 'fill="none" stroke="#57606a" stroke-width="1.4"')
    yield _dots(city, on)
    yield from _circles(city, hour, on)
    yield from _names(regions.districts, on)
    yield "</g>"
    yield (f'<rect x="{on.left:.0f}" y="{TOP}" width="{MAP}" height="{MAP}" fill="none" stroke="#8c959f"/>')


def _path(rings: list[Floats], on: Map, style: str) -> str:
    parts = ["M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in on.pixels(ring)) + "Z" for ring in rings]
    return f'<path d="{"".join(parts)}" {style}/>'


def _dots(city: City, on: Map) -> str:
    devices = city.devices
    every = max(1, -(-len(devices) // SENSORS_SHOWN))
    pixels = on.pixels(np.stack([devices.lon[::every], devices.lat[::every]], axis=1))
    shown = np.unique(pixels[on.holds(pixels)].round(0), axis=0)
    path = "".join(f"M{x:.0f},{y:.0f}h1" for x, y in shown)
    return f'<path d="{path}" stroke="#24292f" stroke-opacity="0.45" stroke-width="1"/>'


def _circles(city: City, hour: Hour, on: Map) -> Iterator[str]:
    devices = city.devices
    pixels = on.pixels(np.stack([devices.lon[hour.gauges], devices.lat[hour.gauges]], axis=1))
    level = np.searchsorted(np.array(DEPTHS_M), hour.depth, side="right")
    for (x, y), step in zip(pixels[on.holds(pixels)], level[on.holds(pixels)], strict=True):
        colour = DEPTH_COLOURS[step - 1] if step else "#ffffff"
        yield (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + step}" fill="{colour}" fill-opacity="0.85" '
            'stroke="#24292f" stroke-width="0.6"/>'
        )


def _names(districts: Level, on: Map) -> Iterator[str]:
    pixels = on.pixels(districts.center)
    for i in np.flatnonzero(on.holds(pixels)):
        x, y = pixels[i]
        # In the map of the whole city the inner districts are too small to be named.
        if on.scale * np.sqrt(districts.km2[i]) > 60:
            name = f"{districts.name_zh[i]} {districts.name_en[i].removesuffix(' District')}"
            yield _text(x, y, name, _LABEL)


def _legend(city: City) -> Iterator[str]:
    y = TOP + MAP + 34
    yield _text(MARGIN, y, "一小时雨量 rain of the hour, mm")
    for i, colour in enumerate(RAIN_COLOURS):
        x = MARGIN + 240 + 62 * i
        yield f'<rect x="{x}" y="{y - 13}" width="62" height="16" fill="{colour}" stroke="#8c959f"/>'
        if i:
            yield _text(x, y + 20, f"{RAIN_MM[i - 1]:g}", 'text-anchor="middle"')
    y += 50
    yield _text(MARGIN, y, "积水深度 ponding, m")
    labels = ("< 0.1", *(f"≥ {depth:g}" for depth in DEPTHS_M))
    for i, label in enumerate(labels):
        x, colour = MARGIN + 250 + 110 * i, ("#ffffff", *DEPTH_COLOURS)[i]
        yield f'<circle cx="{x}" cy="{y - 5}" r="{3 + i}" fill="{colour}" stroke="#24292f"/>'
        yield _text(x + 14, y, label)
    shown = min(len(city.devices), SENSORS_SHOWN)
    yield _text(MARGIN + 830, y, f"· 传感器(每点一个,至多 {shown:,} 个) a dot a sensor, {shown:,} at most")


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{escape(text)}</text>'
