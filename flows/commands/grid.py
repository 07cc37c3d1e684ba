"""`yiwang grid`: longitude and latitude to BeiDou grid codes and back, for one point or a whole CSV."""

import sys
from io import BytesIO
from typing import Annotated, Never

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import typer

from geo import beidou, coordinates

app = typer.Typer(
    name="grid",
    help="BeiDou grid codes (GB/T 39409-2020) of places, and places of codes.",
    no_args_is_help=True,
)

# Enough decimals that a printed centre lies in the same cell at every level.
_DECIMALS = 9
_SHOWN_ROWS = 5

_ENCODE_EXAMPLES = """Examples:

  yiwang grid encode 114.3055 30.5928

  yiwang grid encode -0.1276 51.5072 --level 10

  yiwang grid encode --crs gcj02 < places.csv > coded.csv"""

_DECODE_EXAMPLES = """Examples:

  yiwang grid decode N50H0513634

  yiwang grid decode --json < codes.csv"""


# Without the setting below, -0.1276 would be taken for an option.
@app.command(epilog=_ENCODE_EXAMPLES, context_settings={"ignore_unknown_options": True})
def encode(
    lon: Annotated[float | None, typer.Argument(help="Longitude, degrees.", show_default=False)] = None,
    lat: Annotated[float | None, typer.Argument(help="Latitude, degrees.", show_default=False)] = None,
    level: Annotated[
        int, typer.Option(min=beidou.COARSEST, max=beidou.FINEST, help="Level of the code.")
    ] = 5,
    crs: Annotated[
        str, typer.Option(help=f"Datum of the input: {', '.join(coordinates.SYSTEMS)}.")
    ] = "wgs84",
    json: Annotated[bool, typer.Option("--json", help="Print a list of {lon, lat, code}.")] = False,
) -> None:
    """Print the code of a point, or add a column `code` to the CSV with `lon,lat` on standard input."""
    if crs not in coordinates.SYSTEMS:
        _misused(f"--crs must be one of {', '.join(coordinates.SYSTEMS)}, found {crs!r}")
    if lon is not None and lat is None:
        _misused("LAT is missing: give both LON and LAT, or neither and a CSV on standard input")
    table = _table(["lon", "lat"]) if lon is None else pl.DataFrame({"lon": [str(lon)], "lat": [str(lat)]})
    east, north = _numbers(table["lon"]), _numbers(table["lat"])
    codes = beidou.encode(*coordinates.to_wgs84(east, north, crs), level)
    texts = pl.Series("code", [text or None for text in beidou.text(codes, level)], dtype=pl.String)
    places = pl.DataFrame({"lon": east, "lat": north}, nan_to_null=True)
    if lon is not None and codes[0] < 0:
        _misused(
            f"no code at lon {lon}, lat {lat}: longitude comes first, in degrees, and |lat| must be below 88"
        )
    _answer(
        places.with_columns(texts), table.with_columns(texts), ["code"] if lon is not None else [], json=json
    )
    _complain(codes < 0, "lon and lat must be degrees, with |lat| below 88")


@app.command(epilog=_DECODE_EXAMPLES)
def decode(
    code: Annotated[
        str | None, typer.Argument(help="A code of 4 to 20 characters.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a list of {lon, lat, code}.")] = False,
) -> None:
    """Print the centre of a cell, or add columns `lon,lat` to the CSV with `code` on standard input."""
    table = _table(["code"]) if code is None else pl.DataFrame({"code": [code]})
    texts = table["code"].fill_null("").str.strip_chars().to_list()
    codes, levels = beidou.parse_each(texts)
    if code is not None and codes[0] < 0:
        _misused(
            f"{code!r} is no BeiDou grid code: write it like N50H0513634, upper case, 4 to 20 characters"
        )
    places = pl.DataFrame(dict(zip(("lon", "lat"), _centres(codes, levels), strict=True)), nan_to_null=True)
    shown = ["lon", "lat"] if code is not None else []
    _answer(places.with_columns(table["code"]), table.with_columns(places.get_columns()), shown, json=json)
    _complain(codes < 0, "a code is like N50H0513634, upper case, 4 to 20 characters")


def _centres(codes: npt.NDArray[np.int64], levels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(lon, lat) of codes of any levels: float64 [2, n]; NaN for -1."""
    centres = np.full((2, len(codes)), np.nan)
    for level in np.unique(levels[codes >= 0]).tolist():
        rows = levels == level
        centres[:, rows] = beidou.center(codes[rows], level)
    return centres.round(_DECIMALS)


def _table(needed: list[str]) -> pl.DataFrame:
    """The CSV on standard input, all columns as text."""
    if sys.stdin.isatty():
        _misused(
            f"nothing to do: give arguments, or a CSV with the header {','.join(needed)} on standard input"
        )
    try:
        table = pl.read_csv(BytesIO(sys.stdin.buffer.read()), infer_schema=False)
    except (pl.exceptions.PolarsError, ValueError) as error:
        _failed(f"standard input is no CSV: {error}")
    missing = [name for name in needed if name not in table.columns]
    if missing:
        _failed(f"the CSV needs a header with {','.join(needed)}, found {','.join(table.columns)}")
    return table


def _numbers(column: pl.Series) -> npt.NDArray[np.float64]:
    return column.str.strip_chars().cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def _answer(places: pl.DataFrame, table: pl.DataFrame, shown: list[str], *, json: bool) -> None:
    """Print JSON, or the `shown` columns without a header for a single answer, or the whole table."""
    if json:
        typer.echo(msgspec.json.encode(places.select("lon", "lat", "code").to_dicts()).decode())
    elif shown:
        typer.echo(places.select(shown).write_csv(include_header=False), nl=False)
    else:
        typer.echo(table.write_csv(), nl=False)


def _complain(wrong: npt.NDArray[np.bool_], reason: str) -> None:
    if wrong.any():
        rows = (np.flatnonzero(wrong)[:_SHOWN_ROWS] + 1).tolist()
        listed = ", ".join(map(str, rows))
        more = ", …" if wrong.sum() > _SHOWN_ROWS else ""
        _failed(f"{wrong.sum()} of {len(wrong)} rows left empty (rows {listed}{more}): {reason}")


def _failed(message: str) -> Never:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)


def _misused(message: str) -> Never:
    raise typer.BadParameter(message)
