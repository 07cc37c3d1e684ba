"""Import NYC 311 service requests (NYC Open Data, erm2-nwe9) as cases of a hotline.

The folder holds CSV files of the 41 standard columns, ``*311*.csv`` or ``.csv.gz``. What becomes of them:

=============================== ============== ==============================================================
column                          field          note
=============================== ============== ==============================================================
Unique Key                      ``event_id``   with ``nyc-`` before it
Complaint Type, Descriptor      ``type``       ``ev_hotline``; see below for two other types
Complaint Type, Descriptor      ``note``       as text
Created Date                    ``reported``   its time
Closed Date                     ``closed``     its time, whatever Status says
Latitude, Longitude             ``lon lat``    WGS84
Open Data Channel Type          ``channel``    PHONE, ONLINE, MOBILE …
Agency                          ``department`` NYPD, HPD …
all others                      not imported   below
=============================== ============== ==============================================================

Two descriptors of "Sewer" are what event types of ours are: "Street Flooding (SJ)" becomes
``ev_waterlogging``, "Manhole Cover Missing (Emergency) (SA3)" ``ev_manhole``. All else is ``ev_hotline``.

Times are local, America/New_York, with summer time, written ``10/21/18 0:59`` (extracts by the minute) or
``10/21/2018 12:59:30 AM`` (the portal's export). Status and the time of the last update are not imported: an
"Assigned" request was updated then, which is not to say that it was assigned then. Due Date is the agency's
own deadline; ours come from the catalogue. Addresses are public record, and left out. "X Coordinate" and "Y
Coordinate" are feet of the State Plane with thousands separators, the same place as Latitude and Longitude.
"""

from pathlib import Path

import polars as pl

from sim.importers.records import Progress, Report
from sim.importers.service_requests import HOTLINE, Requests, import_requests
from sim.importers.shift import Shift

PATTERNS = ("*311*.csv", "*311*.csv.gz")
FORMATS = ("%m/%d/%y %H:%M", "%m/%d/%Y %I:%M:%S %p")

TYPES = {
    "Sewer / Street Flooding (SJ)": "ev_waterlogging",
    "Sewer / Manhole Cover Missing (Emergency) (SA3)": "ev_manhole",
}
"""Complaint type and descriptor → the event type that it is, where it is not just a hotline case."""

_NOTE = pl.concat_str(
    pl.col("Complaint Type").str.strip_chars(),
    pl.col("Descriptor").str.strip_chars(),
    separator=" / ",
    ignore_nulls=True,
)
COLUMNS = Requests(
    patterns=PATTERNS,
    prefix="nyc-",
    id="Unique Key",
    opened="Created Date",
    closed="Closed Date",
    lon="Longitude",
    lat="Latitude",
    channel="Open Data Channel Type",
    department="Agency",
    formats=FORMATS,
    zone="America/New_York",
    type=_NOTE.replace_strict(TYPES, default=HOTLINE, return_dtype=pl.String),
    note=_NOTE,
)


def import_nyc_311(
    source: Path, to: Path, shift: Shift | None = None, progress: Progress = lambda *_: None
) -> Report:
    r"""Write ``events.jsonl``, sorted by time, and files without readings and sensors into ``to``.

    Raises:
        ValueError: no requests, or a missing column; the message names the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "311_sample.csv").write_text(
    ...         "Unique Key,Created Date,Closed Date,Agency,Complaint Type,Descriptor,Open Data Channel Type,"
    ...         "Latitude,Longitude\n7,10/21/18 0:00,,HPD,HEAT/HOT WATER,ENTIRE BUILDING,PHONE,40.71,-73.87\n"
    ...     )
    ...     report = import_nyc_311(folder, folder / "out")
    >>> report.events, report.dropped["no place"]
    (1, 0)
    """
    return import_requests(source, to, COLUMNS, shift, progress)
