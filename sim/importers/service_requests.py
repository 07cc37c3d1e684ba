"""Service requests of American cities (311) → the records of hotline cases, as far as the files tell.

A request becomes a case with ``reported`` when it was made and ``closed`` when it was closed, and no status
in between: nobody wrote down when it was accepted, dispatched or handled.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sim.importers.local_time import is_repeated, local_ms
from sim.importers.records import EVENTS, Progress, Records, Report, found, moved, texts
from sim.importers.shift import Shift

HOTLINE = "ev_hotline"


@dataclass(frozen=True, slots=True)
class Requests:
    """Columns of a table of requests, all of text, and how to read them.

    Attributes:
        patterns: names of the files.
        prefix: put before ids, so that cities do not collide.
        id, opened, closed, lon, lat, channel, department: names of columns.
        formats: of the times.
        zone: of the times.
        type: event type of a row, text.
        note: what it is about, text, without addresses.
    """

    patterns: tuple[str, ...]
    prefix: str
    id: str
    opened: str
    closed: str
    lon: str
    lat: str
    channel: str
    department: str
    formats: tuple[str, ...]
    zone: str
    type: pl.Expr
    note: pl.Expr

    @property
    def named(self) -> tuple[str, ...]:
        """Every column that is read."""
        plain = (self.id, self.opened, self.closed, self.lon, self.lat, self.channel, self.department)
        return (*plain, *self.type.meta.root_names(), *self.note.meta.root_names())

    def cases(self, table: pl.DataFrame) -> "tuple[pl.DataFrame, dict[str, int]]":
        """One row a case that can be used, and what was left out, counted by reason.

        Columns: ``event_id``, ``type``, ``opened``, ``closed`` (epoch ms, null: not closed), ``lon``,
        ``lat``, ``channel``, ``department``, ``note``; and ``twice``: a time stood for two moments.
        """
        opened = local_ms(self.opened, self.formats, self.zone).alias("opened")
        rows = table.with_columns(opened).with_columns(
            event_id=pl.lit(self.prefix) + pl.col(self.id).str.strip_chars(),
            shut=local_ms(self.closed, self.formats, self.zone, not_before="opened"),
            twice=is_repeated(self.opened, self.formats, self.zone)
            | is_repeated(self.closed, self.formats, self.zone),
            x=_degrees(self.lon),
            y=_degrees(self.lat),
        )
        placed = (
            pl.col("x").is_not_null() & pl.col("y").is_not_null() & ((pl.col("x") != 0) | (pl.col("y") != 0))
        )
        steps = {
            "no time of report": pl.col("opened").is_not_null(),
            "no place": placed,
            "id seen before": pl.col("event_id").is_first_distinct(),
        }
        counts: dict[str, int] = {}
        for reason, keep in steps.items():
            kept = rows.filter(keep)
            counts[reason] = rows.height - kept.height
            rows = kept
        said = pl.col(self.closed).str.strip_chars().fill_null("") != ""
        counts["closing without a time of the zone"] = rows.filter(said, pl.col("shut").is_null()).height
        early = pl.col("shut") < pl.col("opened")
        counts["closing before the report"] = rows.filter(early).height
        return self._selected(rows, early), counts

    def _selected(self, rows: pl.DataFrame, early: pl.Expr) -> pl.DataFrame:
        return rows.select(
            "event_id",
            "opened",
            type=self.type,
            closed=pl.when(~early).then("shut"),
            lon="x",
            lat="y",
            channel=_filled(self.channel),
            department=_filled(self.department),
            note=self.note,
            twice="twice",
        )


def import_requests(
    source: Path,
    to: Path,
    columns: Requests,
    shift: Shift | None,
    progress: Progress,
) -> Report:
    """Write the requests of the files as ``events.jsonl``, without readings.

    Raises:
        ValueError: no file, or a missing column; the message names the file.
    """
    files = found(source, columns.patterns)
    tables = []
    for done, path in enumerate(files):
        progress(done, len(files), path.name)
        tables.append(texts(path, columns.named))
    table = pl.concat(tables, how="diagonal")
    progress(len(files), len(files), "sorting and writing")
    cases, dropped = columns.cases(table)
    records = events(cases, shift)
    Records(events=records).write(to)
    return Report(
        files=len(files),
        rows=table.height,
        readings=0,
        events=records.height,
        sensors=0,
        truths=0,
        dropped=dropped,
        doubtful={"time in the hour that clocks repeat": cases.filter("twice").height},
        not_imported=tuple(name for name in table.columns if name not in columns.named),
        zone=columns.zone,
    )


def events(cases: pl.DataFrame, shift: Shift | None) -> pl.DataFrame:
    """The records of cases: columns of EVENTS; place, channel, department and note on the first one alone.

    >>> case = {"event_id": "n-1", "type": HOTLINE, "opened": 0, "closed": 60_000, "lon": -73.9, "lat": 40.7,
    ...     "channel": "PHONE", "department": "DEP", "note": "Sewer"}
    >>> events(pl.DataFrame([case]), None).select("status", "ts", "lon").rows()
    [('reported', 0, -73.9), ('closed', 60000, None)]
    """
    reported = moved(cases, shift).with_columns(status=pl.lit("reported"), ts=pl.col("opened"))
    closed = cases.filter(pl.col("closed").is_not_null()).select(
        "event_id", "type", status=pl.lit("closed"), ts=pl.col("closed")
    )
    records = pl.concat([reported.select(*EVENTS), closed], how="diagonal")
    return records.cast(EVENTS)  # type: ignore[arg-type]


def _degrees(column: str) -> pl.Expr:
    value = pl.col(column).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(value.is_finite() & (value.abs() <= 180)).then(value)


def _filled(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.when(text != "").then(text)
