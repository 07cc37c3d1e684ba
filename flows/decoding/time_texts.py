"""Many times at once: texts of RFC 3339 -> epoch milliseconds, as ``flows.wire.parse_time`` reads each.

Texts of the usual shape are read column by column; whatever is not of that shape, or not a moment that
exists, goes to ``parse_time``, which alone decides what is refused and why.
"""

import numpy as np
from numpy.typing import NDArray

from flows.wire import END_OF_TIME, MIN_TIME

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_MARKS = ((4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":"))
_TIME_LENGTH = 19
_SHORTEST, _LONGEST = len("2024-07-03T08:00:00Z"), len("2024-07-03T08:00:00.000000000+08:00")


def usual_times(texts: list[str]) -> tuple[Ints, Flags]:
    """Return the epoch milliseconds of n texts, and which of them could be read here.

    >>> usual_times(["1970-01-01T08:00:00.25+08:00", "1970-01-01T00:00:01Z", "1970-01-01"])
    (array([ 250, 1000,    0]), array([ True,  True, False]))
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    times, known = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for length in range(_SHORTEST, _LONGEST + 1):
        rows = np.flatnonzero(lengths == length)
        if rows.size:
            alike = texts if rows.size == len(texts) else [texts[row] for row in rows.tolist()]
            times[rows], known[rows] = _of_one_length(alike, length)
    return np.where(known, times, 0), known


def _of_one_length(texts: list[str], length: int) -> tuple[Ints, Flags]:
    joined = "".join(texts)
    if not joined.isascii():
        return np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    letters = np.frombuffer(joined.encode(), np.uint8).reshape(-1, length)
    zone = length - (1 if letters[0, -1] in b"Zz" else 6)
    seconds, good = _local_seconds(letters)
    milliseconds, good_fraction = _fraction(letters[:, _TIME_LENGTH:zone])
    offset, good_zone = _offset(letters[:, zone:])
    times: Ints = (seconds - offset) * 1_000 + milliseconds
    return times, good & good_fraction & good_zone & (times >= MIN_TIME) & (times < END_OF_TIME)


def _local_seconds(letters: NDArray[np.uint8]) -> tuple[Ints, Flags]:
    """Seconds since 1970 by the clock on the wall, ignoring the zone."""
    good = np.ones(len(letters), bool)
    for place, marks in _MARKS:
        good &= _is_one_of(letters[:, place], marks)
    year = _digits(letters, 0, 2, good) * 100 + _digits(letters, 2, 4, good)
    month, day = _digits(letters, 5, 7, good), _digits(letters, 8, 10, good)
    hour, minute = _digits(letters, 11, 13, good), _digits(letters, 14, 16, good)
    second = _digits(letters, 17, 19, good)
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    months = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    first = months.astype("M8[D]").astype(np.int64)
    good &= first + day <= (months + 1).astype("M8[D]").astype(np.int64)
    return (first + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second, good


def _fraction(letters: NDArray[np.uint8]) -> tuple[Ints, Flags]:
    """Milliseconds of ``.123`` with any number of digits; none at all is zero."""
    count = letters.shape[1]
    if not count:
        return np.zeros(len(letters), np.int64), np.ones(len(letters), bool)
    digits = letters[:, 1:] - np.uint8(ord("0"))
    good = (letters[:, 0] == ord(".")) & (digits <= 9).all(axis=1) & (count > 1)
    weights = np.array([100, 10, 1])[: count - 1]
    return digits[:, :3].astype(np.int64) @ weights, good


def _offset(letters: NDArray[np.uint8]) -> tuple[Ints, Flags]:
    """Seconds east of Greenwich of ``Z`` or ``+08:00``."""
    if letters.shape[1] == 1:
        return np.zeros(len(letters), np.int64), _is_one_of(letters[:, 0], b"Zz")
    good = _is_one_of(letters[:, 0], b"+-") & (letters[:, 3] == ord(":"))
    hours, minutes = _digits(letters, 1, 3, good), _digits(letters, 4, 6, good)
    good &= (hours < 24) & (minutes < 60)
    return np.where(letters[:, 0] == ord("-"), -1, 1) * (hours * 3_600 + minutes * 60), good


def _digits(letters: NDArray[np.uint8], start: int, end: int, good: Flags) -> Ints:
    """The number two letters write; ``good`` is cleared where they are no digits."""
    digits = letters[:, start:end] - np.uint8(ord("0"))
    good &= (digits <= 9).all(axis=1)
    return digits[:, 0].astype(np.int64) * 10 + digits[:, 1]


def _is_one_of(letters: NDArray[np.uint8], marks: bytes) -> Flags:
    found: Flags = letters == marks[0]
    for mark in marks[1:]:
        found |= letters == mark
    return found
