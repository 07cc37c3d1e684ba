"""Local times of recordings → epoch ms, where clocks change twice a year.

In the hour that a change back repeats, a local time stands for two moments: the first is taken, unless the
moment must come after another one. In the hour that a change forward skips there is no local time.
"""

from collections.abc import Sequence

import polars as pl


def local_ms(column: str, formats: Sequence[str], zone: str, *, not_before: str | None = None) -> pl.Expr:
    """Epoch ms of a text column, null where it is no time in a format or no time of the zone.

    Args:
        column: texts such as ``10/21/18 0:59``.
        formats: chrono formats; the first that fits.
        zone: IANA name.
        not_before: a column with epoch ms. Of two moments the second is taken where only that is not before.

    >>> texts = pl.DataFrame({"at": ["2018-11-04 01:30", "2018-03-11 02:30"], "opened": [1541312000000, 0]})
    >>> texts.select(local_ms("at", ["%Y-%m-%d %H:%M"], "America/New_York")).to_series().to_list()
    [1541309400000, None]
    >>> late = local_ms("at", ["%Y-%m-%d %H:%M"], "America/New_York", not_before="opened")
    >>> texts.select(late).to_series().to_list()
    [1541313000000, None]
    """
    naive = _naive(column, formats)
    first, second = (
        naive.dt.replace_time_zone(zone, ambiguous=which, non_existent="null").dt.epoch("ms")
        for which in ("earliest", "latest")
    )
    if not_before is None:
        return first
    return pl.when(first < pl.col(not_before)).then(second).otherwise(first).alias(column)


def is_repeated(column: str, formats: Sequence[str], zone: str) -> pl.Expr:
    """Whether a local time stands for two moments."""
    naive = _naive(column, formats)
    once = naive.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    any_ = naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return once.is_null() & any_.is_not_null()


def _naive(column: str, formats: Sequence[str]) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.coalesce(text.str.to_datetime(f, time_unit="ms", strict=False) for f in formats)
