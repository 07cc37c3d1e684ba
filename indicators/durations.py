"""Text to milliseconds and back: durations such as ``15m`` and local clock spans such as ``22:00-06:00``.

>>> milliseconds("90s"), text(5_400_000)
(90000, '90m')
"""

import re

MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Length of each unit in milliseconds; a day is 24 hours."""

DAY = MILLISECONDS["d"]

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SPAN = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


def milliseconds(duration: str) -> int:
    """The length of a duration in milliseconds.

    Raises:
        ValueError: the text is not a positive whole number followed by s, m, h or d.

    >>> milliseconds("7d")
    604800000
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"not a duration: {duration!r}; write a whole number and s, m, h or d, as in '15m'")
    return int(match[1]) * MILLISECONDS[match[2]]


def text(ms: int) -> str:
    """The shortest exact text of a duration, in the largest unit up to hours, days from two on.

    Raises:
        ValueError: not a positive whole number of seconds.

    >>> text(86_400_000), text(604_800_000), text(90_000)
    ('24h', '7d', '90s')
    """
    if ms <= 0 or ms % MILLISECONDS["s"]:
        raise ValueError(f"no text for {ms} ms; a duration is a positive whole number of seconds")
    if ms % DAY == 0 and ms > DAY:
        return f"{ms // DAY}d"
    unit = next(u for u in "hms" if ms % MILLISECONDS[u] == 0)
    return f"{ms // MILLISECONDS[unit]}{unit}"


def clock_span(span: str) -> tuple[int, int]:
    """Begin and end of a local clock span in milliseconds since midnight; the end may lie on the next day.

    ``24:00`` is allowed as an end only; the begin is in [0, 24 h), the end in (0, 24 h].

    Raises:
        ValueError: not ``HH:MM-HH:MM``, or begin and end are equal.

    >>> clock_span("22:00-06:00")
    (79200000, 21600000)
    """
    match = _SPAN.fullmatch(span)
    if match is None:
        raise ValueError(f"not a clock span: {span!r}; write local times as in '22:00-06:00'")
    begin, end = (int(match[i]) * MILLISECONDS["h"] + int(match[i + 1]) * MILLISECONDS["m"] for i in (1, 3))
    if begin >= DAY or end > DAY or begin == end % DAY:
        raise ValueError(f"not a clock span: {span!r}; it must begin before 24:00 and have a length")
    return begin, end or DAY
