"""CSV or Parquet -> blocks of columns of texts: the rows of a registry as they stand in its file.

Most blocks of a CSV file are plain: no quotes, the same number of fields in every line. They are cut by
polars; any other goes, with all that follows it, through the reader of the standard library, whose results
are the same.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import polars as pl

from flows.decoding.arrow_decode import file_batches
from flows.decoding.columns import Floats, Ints, Names

Column = Names | Floats
"""Texts without spaces around them, or numbers of which NaN is missing."""

_NUMBERS = ("lon", "lat", "period_s")

_ODD = '"\r\0\x1c\x1d\x1e\x1f'
"""Quotes, line ends within lines, and letters that not all libraries take for the same."""
_LETTERS = 1 << 22
"""Letters read at a time."""
_LINES = 1 << 11
"""Lines cut at a time by the standard library: few enough to be gone before memory is searched for cycles."""


@dataclass(frozen=True, slots=True)
class RegistryBlock:
    """n rows: ``line`` int64[n], 1-based, of each in its file, and those of the asked columns there are."""

    line: Ints
    columns: dict[str, Column]

    def row(self, index: int) -> dict[str, str]:
        """One row as texts."""
        return {name: _text_at(column, index) for name, column in self.columns.items()}


def registry_blocks(path: Path, needed: Sequence[str], optional: Sequence[str]) -> Iterator[RegistryBlock]:
    """Yield the rows of a file; a row that is too short has "" in the columns it lacks.

    Raises:
        ValueError: the file is damaged, not UTF-8, or lacks one of the columns ``needed``.
        OSError: it cannot be opened.
    """
    wanted = (*needed, *optional)
    if path.suffix == ".csv":
        yield from _csv(path, needed, wanted)
    elif path.suffix == ".parquet":
        yield from _parquet(path, needed, wanted)
    else:
        raise ValueError(f"a sensor registry must be .csv or .parquet; got {path.name}; convert it")


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        raise ValueError(
            f"{path} needs the columns {', '.join(needed)}; {', '.join(missing)} missing, "
            f"found {', '.join(header) or 'nothing'}; name them in the first line"
        )


def _csv(path: Path, needed: Sequence[str], wanted: Sequence[str]) -> Iterator[RegistryBlock]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header, needed)
            # Of columns of the same name the last one counts.
            places = {name: place for place, name in enumerate(header) if name in wanted}
            yield from _csv_blocks(file, reader.line_num, len(header), places)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be UTF-8 ({error}); save it as UTF-8") from error
        except _CsvError as error:
            raise ValueError(f"{path}, {error}; mend that line") from error


class _CsvError(Exception):
    """The standard library cannot read a line."""


def _csv_blocks(file: TextIO, line: int, width: int, places: dict[str, int]) -> Iterator[RegistryBlock]:
    while text := file.read(_LETTERS) + file.readline():
        block = _plain_block(text.replace("\r\n", "\n"), line, width, places)
        if block is None:
            yield from _odd_blocks(chain(StringIO(text, newline=""), file), line, places)
            return
        line += len(block.line)
        yield block


def _plain_block(text: str, line: int, width: int, places: dict[str, int]) -> RegistryBlock | None:
    """The rows of some lines, if they need only be cut at commas and line ends."""
    if any(letter in text for letter in _ODD):
        return None
    data = text.removesuffix("\n").encode()
    letters = np.frombuffer(data, np.uint8)
    ends = np.append(np.flatnonzero(letters == ord("\n")), len(letters))
    commas = np.diff(np.searchsorted(np.flatnonzero(letters == ord(",")), ends), prepend=0)
    if (commas != width - 1).any() or np.diff(ends, prepend=-1).max() > csv.field_size_limit():
        return None
    frame = pl.read_csv(data, has_header=False, quote_char=None, infer_schema=False)
    columns = {name: _stripped(frame.to_series(place), name) for name, place in places.items()}
    return RegistryBlock(np.arange(len(ends)) + line + 1, columns)


def _stripped(texts: pl.Series, name: str) -> Column:
    texts = texts.fill_null("").str.strip_chars()
    if name in _NUMBERS:
        numbers = texts.cast(pl.Float64, strict=False).fill_null(math.nan).to_numpy()
        if np.isfinite(numbers).all():
            return numbers
    return _column(texts.to_arrow(compat_level=pl.CompatLevel.oldest()), name)


def _odd_blocks(source: Iterator[str], line: int, places: dict[str, int]) -> Iterator[RegistryBlock]:
    reader = csv.reader(source)
    try:
        while found := [(reader.line_num, row) for row in islice(reader, _LINES)]:
            rows = [(number, row) for number, row in found if row]
            if rows:
                numbers, listed = zip(*rows, strict=True)
                columns = list(zip_longest(*listed, fillvalue=""))
                blank = [""] * len(rows)
                cut = {n: columns[p] if p < len(columns) else blank for n, p in places.items()}
                yield _texts(np.array(numbers, np.int64) + line, cut)
    except csv.Error as error:
        raise _CsvError(f"line {reader.line_num + line} is no CSV ({error})") from error


def _texts(line: Ints, columns: dict[str, Any]) -> RegistryBlock:
    return RegistryBlock(line, {n: Names(None, list(map(str.strip, texts))) for n, texts in columns.items()})


def _parquet(path: Path, needed: Sequence[str], wanted: Sequence[str]) -> Iterator[RegistryBlock]:
    line = 1
    for batch in file_batches(path):
        names = batch.schema.names
        if line == 1:
            _check_header(path, names, needed)
        columns = {n: _column(batch.column(i), n) for i, n in enumerate(names) if n in wanted}
        yield RegistryBlock(np.arange(batch.num_rows) + line, columns)
        line += batch.num_rows


def _column(array: Any, name: str) -> Column:  # noqa: ANN401 - an array of pyarrow
    if name in _NUMBERS and str(array.type).startswith(("int", "uint", "float", "double")):
        return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
    try:
        coded = array.dictionary_encode()
    except NotImplementedError:
        return Names(None, list(map(_text, array.to_pylist())))
    codes = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    used, places = np.unique(codes, return_inverse=True)
    missing = [""] * int((used < 0).sum())
    values = coded.dictionary.take(used[used >= 0]).to_pylist()
    text = str.strip if values and isinstance(values[0], str) else _text
    return Names(places.astype(np.int32), [*missing, *map(text, values)])


def _text(value: object) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()


def _text_of(number: float) -> str:
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() else str(number)


def _text_at(column: Column, index: int) -> str:
    if isinstance(column, Names):
        return column.values[index if column.codes is None else int(column.codes[index])]
    return _text_of(float(column[index]))


def distinct(column: Column) -> tuple[Ints, list[str]]:
    """The distinct texts of a column of n rows, and for each row which of them it has, int64[n]."""
    if not isinstance(column, Names):
        numbers, codes = np.unique(column, return_inverse=True)
        return codes, list(map(_text_of, numbers.tolist()))
    if column.codes is not None:
        return column.codes.astype(np.int64), column.values
    places = {text: place for place, text in enumerate(dict.fromkeys(column.values))}
    return np.fromiter(map(places.__getitem__, column.values), np.int64, len(column)), list(places)


def numbers_of(column: Column) -> Floats | None:
    """The numbers of a column of n rows, float64[n]; None if any of its texts is none."""
    if not isinstance(column, Names):
        return column
    try:
        values = np.fromiter(map(float, column.values), np.float64, len(column.values))
    except ValueError:
        return None
    return values if column.codes is None else values[column.codes]
