"""Speed of the geo package on one core, beside a plain loop: `python -m benchmarks.geo_speed [--points N]`.

Budgets: level-5 ids 5 M points/s; areas by prefixes 1 M cells/s, by polygons 100 k cells/s.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from geo import beidou, coordinates
from geo.areas import Areas
from geo.cells import BeidouGrid

WEST, SOUTH, EAST, NORTH = 113.7, 30.0, 115.0, 31.3
HEX = "0123456789ABCDE"

Float64s = npt.NDArray[np.float64]


def looped(lon: list[float], lat: list[float]) -> list[str]:
    """Level-5 texts of points east of Greenwich and north of the equator, one at a time."""
    texts = []
    for east, north in zip(lon, lat, strict=True):
        x, y = round(east * 1e9) * 900 // 10**9, round(north * 1e9) * 900 // 10**9
        column, x = divmod(x, 5400)
        row, y = divmod(y, 3600)
        (i2, x), (j2, y) = divmod(x, 450), divmod(y, 450)
        (i3, x), (j3, y) = divmod(x, 225), divmod(y, 150)
        (i4, i5), (j4, j5) = divmod(x, 15), divmod(y, 15)
        finer = f"{HEX[i2]}{j2}{j3 * 2 + i3}{HEX[i4]}{j4}{HEX[i5]}{HEX[j5]}"
        texts.append(f"N{31 + column}{chr(65 + row)}{finer}")
    return texts


def blobs(side: int, corners: int) -> list[dict[str, object]]:
    """GeoJSON streets: side × side wavy polygons that fill the box, each with 4 × `corners` points."""
    xs, ys = np.linspace(WEST, EAST, side + 1), np.linspace(SOUTH, NORTH, side + 1)
    part = np.linspace(0, 1, corners, endpoint=False)
    features: list[dict[str, object]] = []
    for row in range(side):
        for column in range(side):
            (x0, x1), (y0, y1) = xs[column : column + 2], ys[row : row + 2]
            x = np.r_[x0 + part * (x1 - x0), [x1] * corners, x1 - part * (x1 - x0), [x0] * corners]
            y = np.r_[[y0] * corners, y0 + part * (y1 - y0), [y1] * corners, y1 - part * (y1 - y0)]
            x, y = x + 0.002 * np.sin(y * 500), y + 0.002 * np.sin(x * 500)
            ring = np.column_stack([x, y]).tolist()
            code = f"420106{row * side + column:03}"
            geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
            properties = {"id": code, "kind": "street", "parent": code[:6]}
            features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return features


def drawn(side: int, corners: int) -> Areas:
    """Areas of such a file."""
    document = {"type": "FeatureCollection", "features": blobs(side, corners)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "areas.geojson"
        path.write_text(json.dumps(document), encoding="utf-8")
        return Areas.from_geojson(path, BeidouGrid())


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Best of several runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main(points: Annotated[int, typer.Option(help="Points per run.")] = 2_000_000) -> None:
    """Time every public step and print millions per second."""
    random = np.random.default_rng(0)
    lon, lat = random.uniform(WEST, EAST, points), random.uniform(SOUTH, NORTH, points)
    cells = beidou.encode(lon, lat, 5)
    texts = beidou.text(cells, 5)
    few = slice(0, points // 10)
    some = cells[few]
    by_code, by_polygon = Areas.from_codes(BeidouGrid()), drawn(16, 50)
    slow = [axis[few].tolist() for axis in (lon, lat)]
    work: list[tuple[str, int, Callable[[], object]]] = [
        ("points → level-5 ids", points, lambda: beidou.encode(lon, lat, 5)),
        ("points → level-10 ids", points, lambda: beidou.encode(lon, lat, 10)),
        ("points → level-5 texts", points, lambda: beidou.text(beidou.encode(lon, lat, 5), 5)),
        ("the same, plain Python loop", len(some), lambda: looped(*slow)),
        ("level-5 ids → texts", points, lambda: beidou.text(cells, 5)),
        ("level-5 texts → ids", points, lambda: beidou.parse(texts)),
        ("level-5 ids → centres", points, lambda: beidou.center(cells, 5)),
        ("GCJ-02 → WGS84", len(some), lambda: coordinates.to_wgs84(lon[few], lat[few], "gcj02")),
        ("cells → areas by prefixes", points, lambda: by_code.locate(cells)),
        ("cells → areas by 256 polygons of 200 points", len(some), lambda: by_polygon.locate(some)),
    ]
    table = Table("step", "million/s")
    for name, count, run in work:
        table.add_row(name, f"{count / seconds(run) / 1e6:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
