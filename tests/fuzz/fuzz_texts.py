"""Targets of what operators write: formulas, areas, configuration, catalogue, thresholds, registry, control.

Promised is a value or the one error that the reader declares, which says what to do.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from alerts.routing import Routing
from alerts.service_levels import ServiceLevels
from alerts.threshold_file import check_thresholds, read_thresholds
from flows.admission.registry import read_registry
from flows.config.file import ConfigurationError, load
from flows.config.reference import example
from flows.control.change import Change
from flows.control.control_file import read_script
from flows.control.control_topic import wanted_of
from flows.wire import END_OF_TIME, parse_time
from geo.area_file import read_areas
from geo.cells import BeidouGrid, PolygonGrid
from geo.geojson import AreaFileError
from indicators.catalogue import Catalogue, CatalogueError, _built
from indicators.check import check_texts
from indicators.compiler import compile_formula
from indicators.functions import FUNCTIONS
from indicators.golden_case import GoldenError, read_cases
from indicators.metrics import Metrics
from indicators.syntax import FormulaError
from tests.fuzz.fuzz_targets import Target, decoded, each

CATALOGUE = Catalogue.load()
METRICS = Metrics.load()
FORMULAS = [indicator.entry.formula for indicator in CATALOGUE.indicators]
TOML = (
    b"[[",
    b"]]",
    b"[",
    b"]",
    b"{",
    b"}",
    b" = ",
    b"'''",
    b'"""',
    b"true",
    b"2024-07-03T00:00:00Z",
    b"\n",
    b"#",
    b"0x",
    b"inf",
    b"nan",
    b"a.b.c",
    b"=",
    b"1_000",
    b"[a]\n",
    b"\\u0000",
    b"-7",
    b"25:61:61",
)


def formula(text: bytes) -> str:
    """Compile a formula."""
    plain = decoded(text)
    if plain is None:
        return "no text"
    try:
        compile_formula(plain, METRICS, window_ms=3_600_000)
    except FormulaError as error:
        if min(error.line, error.column) < 1:
            raise AssertionError("a fault without a place") from error
        return "refused"
    return "accepted"


def catalogue(text: bytes) -> str:
    """Load a catalogue and check it: what one accepts the other does."""
    plain = decoded(text)
    if plain is None:
        return "no text"
    faults = check_texts([("own.toml", plain)], METRICS).faults
    try:
        _built([(Path("own.toml"), plain)], METRICS)
    except CatalogueError:
        assert faults, "refused by the engine, found right by the check"
        return "refused"
    return "faulty" if faults else "accepted"


def thresholds(text: bytes) -> str:
    """Check a file of thresholds; one without a fault is read."""
    plain = decoded(text)
    if plain is None:
        return "no text"
    files = [("thresholds.toml", plain)]
    if check_thresholds(files, CATALOGUE):
        return "refused"
    read_thresholds(files, CATALOGUE)
    return "accepted"


def time_text(text: bytes) -> str:
    """Parse the text of a time."""
    plain = decoded(text)
    try:
        moment = parse_time(plain or "")
    except ValueError:
        return "refused"
    assert 0 <= moment < END_OF_TIME, "a time outside the contract"
    return "accepted"


def filed(suffix: str, read: Callable[[Path], object], *errors: type[Exception]) -> Callable[[bytes], str]:
    """A target of a reader of files."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))

    def run(text: bytes) -> str:
        path = folder / f"input{suffix}"
        path.write_bytes(text)
        try:
            read(path)
        except errors:
            return "refused"
        return "accepted"

    return run


def _script(path: Path) -> object:
    return read_script(path, Change(0, 0))


def control_message(text: bytes) -> str:
    """A message of the control topic: its files are texts, whatever they say."""
    try:
        wanted = wanted_of(text, Change(0, 0))
    except ValueError:
        return "refused"
    files = (*wanted.catalogue, *wanted.thresholds)
    assert all(isinstance(word, str) for pair in files for word in pair)
    return "accepted" if files else "nothing"


def _polygon(kind: str, text: str, x: float, **more: object) -> dict[str, object]:
    ring = [[x, 30.5], [x + 0.1, 30.5], [x + 0.1, 30.6], [x, 30.6], [x, 30.5]]
    properties = {"id": text, "kind": kind, "name": "江岸", **more}
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _areas() -> list[bytes]:
    plain = [_polygon("district", "420102", 114.2), _polygon("street", "420102001", 114.2, parent="420102")]
    several = {"type": "GeometryCollection", "geometries": [plain[0]["geometry"]]}
    multi = {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 1], [1, 0], [0, 1]]]]}
    files: list[dict[str, object]] = [
        {"type": "FeatureCollection", "features": plain},
        {
            "type": "FeatureCollection",
            "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}},
            "features": [{"type": "Feature", "properties": {"adcode": 420102}, "geometry": several}],
        },
        {
            "type": "FeatureCollection",
            "crs": "EPSG:3857",
            "features": [
                {"type": "Feature", "properties": {"id": "a", "level": "street"}, "geometry": multi}
            ],
        },
    ]
    return [json.dumps(file).encode() for file in files]


OWN = b"""[[indicator]]
id = "drainage.own"
name_zh = "\xe5\x86\x85\xe6\xb6\x9d"
name_en = "Own"
theme = "emergency"
domain = "drainage"
unit = "mm"
window = "1h"
hop = "5m"
formula = "highest(max(rain_1m)) + 2"
levels = { blue = { raise = 1, clear = 0.5, for = "10m" }, red = { raise = 9 } }
provenance = { blue = "engineering_default" }
"""
OVERRIDE = b"""[[override]]
indicator = "noise.functional_exceedance"
districts = ["420106"]
hours = "22:00-06:00"
days = ["weekend", "holiday"]
levels = { yellow = { raise = 3, clear = 2 }, red = { raise = 50 } }
"""
SENSORS = (
    b'sensor_id,lon,lat,metric,period_s,crs,site,retired\ns1,114.3,30.6,rain_1m,60,gcj02,x,2024-07-03\ns2,"1","3",\n',
    b"\xef\xbb\xbfsensor_id,lat,lon\r\ns1,30.6,114.3\r\n",
)
GOLDEN = b"""[[case]]
indicator = "traffic.congestion_index"
name = "standing"
at = "2024-07-03T08:00:00+08:00"
series = ["r1*2@B road_speed every 1m until -5m: 20 60x3 _ 0+10x3 _x3", "r1(10,-20) road_segment_length: 2"]
cases = ["c*2@A#12345 ev_gas_leak s3: reported -2h, closed -1h repeat 1d..3d"]
periods = { r1 = "1m" }
value = 5.111111111
level = 1
"""
ROUTES = b"""[[route]]
indicator = "gas.*"
department = "gas"
[[route]]
kind = "street"
district = "420106"
department = "x"
"""
TIMES = b"""[[sla]]
theme = "emergency"
blue = "8h"
yellow = "4h"
orange = "2h"
red = "30m"
[[sla]]
blue = "3d"
yellow = "2d"
orange = "1d"
red = "8h"
"""

TARGETS = (
    Target(
        "formula",
        each(formula),
        [text.encode() for text in FORMULAS],
        [
            *(name.encode() + b"(" for name in FUNCTIONS),
            *(name.encode() for name in METRICS.index),
            *(name.encode() for name in METRICS.event_index),
            b"**",
            b" if ",
            b" else ",
            b"; ",
            b"\n",
            b"'15m'",
            b" = ",
            b"|",
            b" and ",
            b"not ",
            b"lambda: ",
            b".a",
            b"[0]",
            b"0xf",
            b"1j",
            b"f'{1}'",
            b"**9**9",
            b"*a",
        ],
        batch=8,
        weight=2.0,
    ),
    Target(
        "catalogue",
        each(catalogue),
        [OWN, OWN + OWN.replace(b"own", b"two"), GOLDEN + OWN],
        (*TOML, b"formula", b"level_needs", b"alarm_needs", b"merge", b"[[case]]"),
        batch=4,
        weight=0.3,
    ),
    Target(
        "thresholds",
        each(thresholds),
        [OVERRIDE, OVERRIDE.replace(b"districts", b"cells")],
        (*TOML, b"levels", b"raise", b"clear", b"for"),
        batch=4,
        weight=0.3,
    ),
    Target(
        "golden",
        each(filed(".toml", lambda path: read_cases([path], METRICS), GoldenError)),
        [GOLDEN],
        (*TOML, b"every", b"x", b"@", b".."),
        batch=4,
        weight=0.3,
    ),
    Target(
        "configuration",
        each(filed(".toml", load, ConfigurationError)),
        [
            example().encode(),
            b'[city]\ntz = "UTC"\n[redis]\nurl = "embedded"\n',
            b"[prometheus]\nport = 9464\n",
        ],
        (*TOML, b"[kafka]\n", b"[redis]\n", b"[kafka.settings]\n", b"env:X"),
        batch=4,
        weight=0.5,
    ),
    Target("routes", each(filed(".toml", Routing.load, ValueError)), [ROUTES], TOML, batch=4, weight=0.3),
    Target(
        "service_levels",
        each(filed(".toml", ServiceLevels.load, ValueError)),
        [TIMES],
        TOML,
        batch=4,
        weight=0.3,
    ),
    Target(
        "grid",
        each(filed(".geojson", lambda path: PolygonGrid.from_geojson(path, "id"), AreaFileError)),
        _areas(),
        (b"null", b"[", b"]", b","),
        batch=4,
        weight=0.2,
    ),
    Target(
        "areas",
        each(filed(".geojson", lambda path: read_areas(path, BeidouGrid(5)), AreaFileError)),
        _areas(),
        (
            b'"type":',
            b'"Polygon"',
            b'"coordinates":',
            b'"crs":',
            b"EPSG:",
            b"null",
            b'"parent":',
            b"+proj=longlat",
            b'"geometries":',
            b'"GeometryCollection"',
            b'"kind":',
        ),
        batch=4,
        weight=0.3,
    ),
    Target(
        "registry",
        each(filed(".csv", read_registry, ValueError)),
        SENSORS,
        (b",", b"\n", b'"', b"sensor_id", b"retired", b"bd09", b"1e3", b"true"),
        batch=4,
        weight=0.5,
    ),
    Target(
        "control",
        each(filed(".jsonl", _script, ValueError)),
        [
            b'{"ts": "2024-07-03T10:00:00Z", "catalogue": null}\n{"ts": 1719974400, "thresholds": null}\n',
            b'{"ts": 1, "catalogue": "nowhere"}',
        ],
        (b'"ts":', b'"catalogue":', b"null", b"\n", b"..", b"/"),
        batch=4,
    ),
    Target(
        "control_message",
        each(control_message),
        [b'{"catalogue": {"a.toml": "id = 1"}, "thresholds": null}', b'{"thresholds": {"n": ""}}'],
        (b'"catalogue":', b'"thresholds":', b"null", b"{}", b"{", b'"'),
        batch=16,
    ),
    Target(
        "time",
        each(time_text),
        [b"2024-07-03T08:00:00.25+08:00", b"2024-07-03T08:00:00Z"],
        (b"-", b":", b"T", b"Z", b"+24:00", b"2024-W27-3"),
        batch=16,
        weight=6.0,
    ),
)
