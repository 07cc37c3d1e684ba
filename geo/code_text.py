"""Codes as text and back: BeiDou grid location codes of GB/T 39409-2020, whole arrays at a time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from geo.code_levels import (
    ACROSS,
    COARSEST,
    COLUMNS,
    COUNT,
    FINEST,
    LEVELS,
    ROWS,
    Bools,
    Int64s,
    Level,
    checked,
    digits,
    indexes,
    length,
)

Bytes = npt.NDArray[np.uint8]


def _first_texts() -> list[str]:
    return [
        f"{half}{column:02}{chr(65 + row)}"
        for half in "NS"
        for column in range(COLUMNS)
        for row in range(ROWS)
    ]


def _digit_texts(step: Level) -> list[str]:
    if step.width == 1:
        return [str(digit) for digit in range(step.radix)]
    return [f"{lon:X}{lat:X}" for lon in range(step.lons) for lat in range(step.lats)]


def _table(texts: list[str]) -> Bytes:
    return np.array(texts, dtype="S").view(np.uint8).reshape(len(texts), -1)


_TEXTS = tuple(_table(_first_texts() if step.width == 4 else _digit_texts(step)) for step in LEVELS[1:])


def text_bytes(codes: npt.ArrayLike, level: int) -> npt.NDArray[np.bytes_]:
    """Texts of codes as one fixed-width ASCII array, `S{length(level)}` [n]; empty for -1.

    >>> from geo.beidou import encode
    >>> text_bytes(encode([114.3], [30.6], 2), 2)
    array([b'N50H05'], dtype='|S6')
    """
    valid = checked(codes, level)
    out = np.empty((len(valid), length(level)), dtype=np.uint8)
    at = 0
    for table, digit in zip(_TEXTS, digits(np.maximum(valid, 0), level), strict=False):
        out[:, at : at + table.shape[1]] = table[digit]
        at += table.shape[1]
    out[valid < 0] = 0
    return out.view(f"S{at}").ravel()


def text(codes: npt.ArrayLike, level: int) -> list[str]:
    """Texts of codes (int64 [n]) of one level; "" for -1.

    Raises ValueError for codes beyond the level's range.

    >>> from geo.beidou import encode
    >>> text([-1, *encode([-0.1], [-0.1], 1)], 1)
    ['', 'S30A']
    """
    found: list[str] = text_bytes(codes, level).astype(f"U{length(level)}").tolist()
    return found


def parse(texts: Sequence[str]) -> tuple[Int64s, int]:
    """Texts of one level → (codes int64 [n], level).

    Raises ValueError for a text that is no code, for mixed levels, and for no texts at all (they have no
    level).

    >>> parse(["N50H05136", "S30A0000E"])
    Traceback (most recent call last):
    ValueError: 'S30A0000E' is no BeiDou grid code: write it like N50H05136, upper case, 4 to 20 characters
    """
    codes, levels = parse_each(texts)
    if len(codes) == 0 or (codes < 0).any():
        wrong = repr(texts[codes.tolist().index(-1)]) if len(codes) else "an empty list"
        msg = f"{wrong} is no BeiDou grid code: write it like N50H05136, upper case, 4 to 20 characters"
        raise ValueError(msg)
    if levels.min() != levels.max():
        mixed = sorted(set(levels.tolist()))
        msg = f"codes of one level are needed, found levels {mixed}: parse each level by itself"
        raise ValueError(msg)
    return codes, int(levels[0])


def parse_each(texts: Sequence[str]) -> tuple[Int64s, Int64s]:
    """Texts of any levels → (codes, levels), int64 [n]; (-1, 0) for a text that is no code.

    >>> codes, levels = parse_each(["N50H05136", "nonsense"])
    >>> codes.tolist(), levels.tolist()
    ([95649486, -1], [4, 0])
    """
    codes = np.full(len(texts), -1, dtype=np.int64)
    levels = np.zeros(len(texts), dtype=np.int64)
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    for level in range(COARSEST, FINEST + 1):
        rows = np.flatnonzero(sizes == length(level))
        if rows.size:
            codes[rows] = _parse_level([texts[row] for row in rows.tolist()], level)
            levels[rows] = np.where(codes[rows] < 0, 0, level)
    return codes, levels


def _parse_level(texts: list[str], level: int) -> Int64s:
    letters = "".join(texts).encode("ascii", "replace")
    matrix = np.frombuffer(letters, dtype=np.uint8).reshape(len(texts), -1)
    codes = np.zeros(len(texts), dtype=np.int64)
    wrong = np.zeros(len(texts), dtype=np.bool_)
    at = 0
    for step, table in zip(LEVELS[1 : level + 1], _TEXTS, strict=False):
        digit, known = _look_up(matrix[:, at : at + step.width], table)
        codes = codes * step.radix + digit
        wrong |= ~known
        at += step.width
    # The column without width has no other cells than those at 180° exactly.
    on_line = codes // (COUNT[level] // COUNT[1]) // ROWS % COLUMNS == 0
    wrong[on_line] |= indexes(codes[on_line], level)[1] != 30 * ACROSS[level]
    return np.where(wrong, -1, codes)


def _look_up(letters: Bytes, table: Bytes) -> tuple[Int64s, Bools]:
    """(digit, is one) of each row of letters; the table is in ascending order of its texts."""
    keys, known = _as_numbers(table), _as_numbers(letters)
    digit = np.minimum(np.searchsorted(keys, known), len(keys) - 1)
    return digit, keys[digit] == known


def _as_numbers(letters: Bytes) -> Int64s:
    places = 256 ** np.arange(letters.shape[1] - 1, -1, -1)
    numbers: Int64s = letters.astype(np.int64) @ places
    return numbers
