"""Import a water network with known leaks (L-TOWN of BattLeDIM) as readings and truth.

The folder holds ``scada_*.csv`` or ``.csv.gz`` (one row per five minutes), ``sensors.csv`` (where they stand)
and ``leak_labels_*.csv``. What becomes of the columns:

======================= ==================== ===========================================================
column                  becomes              note
======================= ==================== ===========================================================
P_n…                    ``tap_pressure``     metres of water in the file, MPa here (× 0.00980665)
F_p227 + F_p235 −       ``dma_inflow``       m³/h, of the sensor ``inlet``: what flows in through both
F_PUMP_1                                     inlets and is not pumped on to the tank. Raw, the pump's
                                             cycles move the night flow by tens of m³/h
L_T1                    not imported         level of a water tank in m; ``tank_level`` is per cent of a
                                             chemical one
link, start, end, x, y  ``truth.jsonl``      of leaks that began within the recording
======================= ==================== ===========================================================

A stamp is taken as Beijing time (UTC+8, no summer time): the network is fictitious and its time has no zone,
no summer time and no place, and so the nights of its demand are the nights of a city in China. Places are
local metres, so that it always is put somewhere: at Wuhan's centre, or where ``--shift-to`` says. The sensor
``inlet`` stands midway between both inlets. Leaks from before the first row are part of the recording's
normal flow and no truth; an end after the last row is cut there. Nobody labelled levels: an event's is 1.
"""

from pathlib import Path

import polars as pl

from geo import beidou
from sim.importers.records import READINGS, Progress, Records, Report, beside, found, number, registry, texts
from sim.importers.shift import WUHAN, Shift

PATTERNS = ("scada_*.csv", "scada_*.csv.gz")
STAMP_FORMAT = "%Y-%m-%d %H:%M:%S"
ZONE = "Asia/Shanghai"
PERIOD_S = 300

MPA_PER_METRE = 0.00980665
"""Megapascal per metre of water: 1000 kg/m³ × 9.80665 m/s²."""

INLETS = ("F_p227", "F_p235")
PUMP = "F_PUMP_1"
INLET = "inlet"
NOT_IMPORTED = ("L_T1",)

INDICATORS = ("water_supply.pressure_min", "water_supply.night_flow_ratio")
"""What may find a leak: the indicators of the two metrics there are."""

CELL_LEVEL = 5


def import_water_leak(
    source: Path, to: Path, shift: Shift | None = None, progress: Progress = lambda *_: None
) -> Report:
    """Write ``readings.jsonl``, ``sensors.csv`` and ``truth.jsonl`` into ``to``.

    Raises:
        ValueError: a file or a column is missing, or a sensor has no place; the message names the file.
    """
    files = found(source, PATTERNS)
    tables = []
    for done, path in enumerate(files):
        progress(done, len(files), path.name)
        tables.append(_rows(path))
    rows = pl.concat(tables, how="diagonal").drop_nulls("ts").unique("ts", maintain_order=True)
    progress(len(files), len(files), "sorting and writing")
    pressures = [name for name in rows.columns if name.startswith("P_")]
    readings = pl.concat([_pressures(rows, pressures), _inflow(rows)])
    leaks = _leaks(source.parent if source.is_file() else source)
    places, spots = _placed(_sensors(beside(source, ["sensors.csv"]), pressures), leaks, shift or WUHAN)
    of_pressure = registry(places.filter(pl.col("sensor_id") != INLET), ["tap_pressure"], PERIOD_S, None)
    of_inlet = registry(places.filter(sensor_id=INLET), ["dma_inflow"], PERIOD_S, None)
    truth = _truth(spots, rows["ts"])
    Records(readings=readings, sensors=pl.concat([of_pressure, of_inlet]), truth=truth).write(to)
    every = sum(table.height for table in tables)
    return Report(
        files=len(files),
        rows=every,
        readings=readings.height,
        events=0,
        sensors=len(pressures) + 1,
        truths=truth.height,
        dropped={
            "row without a time, or of a time seen before": every - rows.height,
            "missing value": rows.height * (len(pressures) + 1) - readings.height,
            "leak that began outside the recording": leaks.height - truth.height,
        },
        doubtful={},
        not_imported=NOT_IMPORTED,
        zone=ZONE,
    )


def _rows(path: Path) -> pl.DataFrame:
    table = texts(path, ("timestamp", *INLETS, PUMP))
    values = [name for name in table.columns if name.startswith("P_") or name in (*INLETS, PUMP)]
    return table.select(_ms("timestamp").alias("ts"), *map(number, values))


def _ms(column: str) -> pl.Expr:
    naive = pl.col(column).str.strip_chars().str.to_datetime(STAMP_FORMAT, time_unit="ms", strict=False)
    return naive.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null").dt.epoch("ms")


def _pressures(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    long = rows.unpivot(names, index="ts", variable_name="sensor_id").drop_nulls("value")
    in_mpa = long.with_columns((pl.col("value") * MPA_PER_METRE).round(8), metric=pl.lit("tap_pressure"))
    return in_mpa.select(*READINGS)


def _inflow(rows: pl.DataFrame) -> pl.DataFrame:
    net = pl.col(INLETS[0]) + pl.col(INLETS[1]) - pl.col(PUMP)
    flow = rows.select("ts", value=net.round(6), sensor_id=pl.lit(INLET), metric=pl.lit("dma_inflow"))
    return flow.drop_nulls("value").select(*READINGS)


def _sensors(path: Path, pressures: list[str]) -> pl.DataFrame:
    """sensor_id, east, north in metres, the inlet last."""
    table = texts(path, ("sensor", "x_m", "y_m"))
    known = table.select(
        sensor_id=pl.col("sensor").str.strip_chars(), east=number("x_m"), north=number("y_m")
    )
    known = known.drop_nulls().unique("sensor_id", maintain_order=True)
    wanted = [*pressures, *INLETS]
    unknown = sorted(set(wanted) - set(known["sensor_id"]))
    if unknown:
        raise ValueError(f"{path} has no place of {', '.join(unknown)}: add a row for each")
    inlets = known.filter(pl.col("sensor_id").is_in(INLETS))
    midway = inlets.select(pl.lit(INLET).alias("sensor_id"), pl.col("east", "north").mean())
    return pl.concat([known.filter(pl.col("sensor_id").is_in(pressures)), midway])


def _leaks(folder: Path) -> pl.DataFrame:
    """link, start, end (epoch ms), east, north in metres, of all label files."""
    tables = [
        texts(path, ("link", "start", "end", "x", "y")).select(
            "link", _ms("start").alias("start"), _ms("end").alias("end"), east=number("x"), north=number("y")
        )
        for path in sorted(folder.glob("leak_labels_*.csv"))
    ]
    schema = {"link": pl.String, "start": pl.Int64, "end": pl.Int64, "east": pl.Float64, "north": pl.Float64}
    return pl.concat([pl.DataFrame(schema=schema), *tables]).unique(maintain_order=True)


def _placed(sensors: pl.DataFrame, leaks: pl.DataFrame, shift: Shift) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both with lon and lat; moved together, so that a leak stays beside its sensors."""
    both = pl.concat([sensors.select("east", "north"), leaks.select("east", "north")])
    lon, lat = shift.place(both["east"].to_numpy(), both["north"].to_numpy())
    degrees = pl.DataFrame({"lon": lon, "lat": lat}).select(pl.all().round(7))
    return (
        pl.concat([sensors, degrees.head(sensors.height)], how="horizontal"),
        pl.concat([leaks, degrees.tail(leaks.height)], how="horizontal"),
    )


def _truth(leaks: pl.DataFrame, times: pl.Series) -> pl.DataFrame:
    first, last = times.min(), times.max()
    new = leaks.filter(pl.col("start") > first, pl.col("start") <= last)
    cells = beidou.text(beidou.encode(new["lon"].to_numpy(), new["lat"].to_numpy(), CELL_LEVEL), CELL_LEVEL)
    return new.sort("start", "link").select(
        event_id="leak-" + pl.col("link"),
        scenario=pl.lit("water_main_burst"),
        indicators=pl.lit(list(INDICATORS)),
        cells=pl.Series([[cell] for cell in cells], dtype=pl.List(pl.String)),
        start="start",
        end=pl.min_horizontal("end", pl.lit(last)),
        level=pl.lit(1),
    )
