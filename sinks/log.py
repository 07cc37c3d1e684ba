"""The log: events with stable names and fields, as lines for people or as JSON; here structlog is imported.

>>> LOG = EventLog("kafka")
>>> with collected() as lines:
...     LOG.warning("kafka.back", servers="a:9092")
>>> lines
['Kafka a:9092 is back']
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import structlog

from sinks.log_events import Language, message

Format = Literal["console", "json"]
Level = Literal["debug", "info", "warning", "error"]

ROOT = "yiwang"
"""The logger above all others of the engine."""
MOST = 2_000
"""Longest text of a field, in characters: errors of others may quote what they were given."""
_OWN = "yiwang_event"


@dataclass(frozen=True, slots=True)
class EventLog:
    """Tells of events of one area; nothing that a record says may be a field, least of all a ``note``."""

    area: str
    _logger: logging.Logger = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_logger", logging.getLogger(f"{ROOT}.{self.area}"))

    def info(self, event: str, **fields: object) -> None:
        """What goes as it should."""
        self._tell(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """What somebody should look at."""
        self._tell(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """What went wrong."""
        self._tell(logging.ERROR, event, fields)

    def failed(self, event: str, failure: BaseException, **fields: object) -> None:
        """What went wrong by a failure: its places are told, not what it says."""
        self._tell(logging.ERROR, event, fields, failure)

    def _tell(
        self, level: int, event: str, fields: dict[str, object], failure: BaseException | None = None
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        shown = {name: _short(value) for name, value in fields.items()}
        if failure is not None:
            shown["failure"] = places(failure)
        own = {"event": event, "fields": shown}
        self._logger.log(level, "%s", message(event, _SETTINGS.language, shown), extra={_OWN: own})


@dataclass(slots=True)
class _Settings:
    language: Language = "en"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    process: int | None = None


_SETTINGS = _Settings()


def configure(
    form: Format = "console",
    language: Language | None = None,
    level: Level = "info",
    tz: str = "Asia/Shanghai",
    process: int | None = None,
) -> None:
    """Send all that is logged in this process, by libraries too, to stderr.

    Args:
        form: ``console`` for people, ``json`` for one object a line.
        language: of messages; without, that of the environment.
        level: the least that is told.
        tz: the zone of times.
        process: the number of this process, where there are several.
    """
    _SETTINGS.language = language or language_of_environment()
    _SETTINGS.zone, _SETTINGS.process = ZoneInfo(tz), process
    handler = logging.StreamHandler(sys.stderr)
    last = structlog.processors.JSONRenderer(ensure_ascii=False, default=str) if form == "json" else _line
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
            processors=[_as_event, structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def language_of_environment() -> Language:
    """Chinese where the environment's language is, else English."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if named.lower().startswith("zh") else "en"


def places(failure: BaseException) -> list[str]:
    """Types and places of a failure and its causes, outermost first, without what they say.

    >>> try:
    ...     int("a secret")
    ... except ValueError as error:
    ...     places(error)
    ['ValueError', '<doctest ...>:2 in <module>']
    """
    told: list[str] = []
    one: BaseException | None = failure
    while one is not None and len(told) < 200:
        told.append(type(one).__name__)
        frames = traceback.extract_tb(one.__traceback__)
        told += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        one = one.__cause__ or one.__context__
    return told


@contextmanager
def collected() -> Iterator[list[str]]:
    """All messages of the engine in this process, from now to the end of the block."""
    lines: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(ROOT)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _short(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= MOST else text[:MOST] + "..."


def _as_event(_: Any, __: str, told: MutableMapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - structlog's
    """A record of the standard library as an event: time, level, event, logger, message, then its fields."""
    record: logging.LogRecord = told["_record"]
    own = getattr(record, _OWN, {"event": "library", "fields": {}})
    moment = datetime.fromtimestamp(record.created, _SETTINGS.zone).isoformat(timespec="milliseconds")
    event = {"time": moment, "level": told["level"], "event": own["event"], "logger": record.name}
    if _SETTINGS.process is not None:
        event["process"] = _SETTINGS.process
    event["message"] = _short(told["event"])
    _, error, _ = told.get("exc_info") or (None, None, None)
    if error is not None:
        event["failure"] = places(error)
    meta = {name: told[name] for name in ("_record", "_from_structlog")}
    return {**event, **own["fields"], **meta}


def _line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:  # noqa: ANN401 - structlog's
    process = f" [{event['process']}]" if "process" in event else ""
    places_ = "".join(f"\n    {place}" for place in event.get("failure", ()))
    return f"{event['time']} {event['level']:<7}{process} {event['message']}{places_}"
