"""Import Boston 311 service requests (Analyze Boston) as cases of a hotline.

The folder holds CSV files of the published columns, ``*311*.csv`` or ``.csv.gz``, or ``raw_sample.csv``. What
becomes of them:

=============================== ============== ==============================================================
column                          field          note
=============================== ============== ==============================================================
CASE_ENQUIRY_ID                 ``event_id``   with ``boston-`` before it
REASON                          ``type``       ``ev_hotline``; "Sidewalk Cover / Manhole" is ``ev_manhole``
TYPE                            ``note``       as text
OPEN_DT                         ``reported``   its time
CLOSED_DT                       ``closed``     its time
LATITUDE, LONGITUDE             ``lon lat``    WGS84
Source                          ``channel``    Citizens Connect App, Constituent Call …
Department                      ``department`` PWDx, BTDT …
TARGET_DT, OnTime_Status        not imported   Boston's own deadline and verdict: docs/importers.md compares
all others                      not imported   addresses and titles among them
=============================== ============== ==============================================================

Times are local, America/New_York, with summer time, written ``2022-01-18 10:08:24``. CLOSURE_REASON repeats
the closing time as a text in UTC, at times labelled EDT or EST all the same: it is not read. (Where it is
written plainly it confirms CLOSED_DT to the second.) A file of closed cases alone says nothing of how long
open ones have waited.
"""

from pathlib import Path

import polars as pl

from sim.importers.records import Progress, Report
from sim.importers.service_requests import HOTLINE, Requests, import_requests
from sim.importers.shift import Shift

PATTERNS = ("*311*.csv", "*311*.csv.gz", "raw_sample.csv")

TYPES = {"Sidewalk Cover / Manhole": "ev_manhole"}
"""REASON → the event type that it is, where it is not just a hotline case."""

COLUMNS = Requests(
    patterns=PATTERNS,
    prefix="boston-",
    id="CASE_ENQUIRY_ID",
    opened="OPEN_DT",
    closed="CLOSED_DT",
    lon="LONGITUDE",
    lat="LATITUDE",
    channel="Source",
    department="Department",
    formats=("%Y-%m-%d %H:%M:%S",),
    zone="America/New_York",
    type=pl.col("REASON").str.strip_chars().replace_strict(TYPES, default=HOTLINE, return_dtype=pl.String),
    note=pl.col("TYPE").str.strip_chars(),
)


def import_boston_311(
    source: Path, to: Path, shift: Shift | None = None, progress: Progress = lambda *_: None
) -> Report:
    r"""Write ``events.jsonl``, sorted by time, and files without readings and sensors into ``to``.

    Raises:
        ValueError: no requests, or a missing column; the message names the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "boston_311.csv").write_text(
    ...         "CASE_ENQUIRY_ID,OPEN_DT,CLOSED_DT,REASON,TYPE,Department,LATITUDE,LONGITUDE,Source\n"
    ...         "7,2022-01-17 11:20:00,2022-01-18 10:08:24,Street Lights,Outage,PWDx,42.35,-71.05,App\n"
    ...     )
    ...     report = import_boston_311(folder, folder / "out")
    >>> report.events, report.zone
    (2, 'America/New_York')
    """
    return import_requests(source, to, COLUMNS, shift, progress)
