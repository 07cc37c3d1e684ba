"""Dead letters → corrected records → back where they came from, each once.

Exactly once, whatever breaks in between and however often it is asked for:

* **Kafka**: a record and the mark that says so (key of the letter, compacted topic
  ``TOPIC.dlq.redriven``) are written in one transaction. A second redrive shuts the first one out before it
  reads the marks.
* **Files**: a record carries its letter's key in the field ``redriven``, which engines ignore, so the file
  itself says what is in it. Redrives take turns by a lock on it.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec

from flows.decoding.decode import decode_events, decode_feedback, decode_readings
from flows.letters.letters import REDRIVEN, Letter, redriven_of_topics
from flows.wire import Kind
from sinks.kafka_contents import DLQ, JSON
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_spans import ID
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import KafkaSettings, Outgoing

AT_ONCE = 500
"""Letters of one transaction, or of one write to a file."""

MARK = "redriven"
"""Field of a record in a file that holds the key of its letter."""

_DECODERS: Mapping[Kind, Callable[[Sequence[bytes]], tuple[Any, list[Any]]]] = {
    "readings": decode_readings,
    "events": decode_events,
    "feedback": decode_feedback,
}
_MARKED = re.compile(rb'"redriven":"([^"\\]+)"')

Record = dict[str, Any]
Correct = Callable[[Letter], Record | None]
"""What a letter should have been; None: nobody said."""


@dataclass(slots=True)
class Redriven:
    """What became of the letters: numbers, and why some could not go back (key → why)."""

    chosen: int = 0
    redriven: int = 0
    already: int = 0
    refused: dict[str, str] = field(default_factory=dict)


class Target(Protocol):
    """Where corrected records go."""

    def opened(self, *, pretend: bool) -> AbstractContextManager[set[str]]:
        """Keys of the letters that went back already; unless ``pretend``, nobody adds to them meanwhile."""

    def put(self, corrected: Sequence[tuple[Letter, Record]]) -> None:
        """Put some back, all or none."""

    def kind(self, letter: Letter) -> Kind | None:
        """What a letter's record should be; None: nothing that can go back here."""


def redrive(
    letters: Iterable[Letter], correct: Correct, target: Target, *, pretend: bool = False
) -> Redriven:
    """Put corrected letters back, each once; ``pretend``: only say what would become of them.

    Raises:
        ValueError, OSError: the target cannot be written to.
    """
    done = Redriven()
    with target.opened(pretend=pretend) as known:
        waiting: list[tuple[Letter, Record]] = []
        for letter in letters:
            done.chosen += 1
            if letter.key in known:
                done.already += 1
                continue
            record, why = _judged(letter, correct, target)
            if record is None:
                done.refused[letter.key] = why
                continue
            known.add(letter.key)
            waiting.append((letter, record))
            if len(waiting) == AT_ONCE:
                done.redriven += _put(target, waiting, pretend=pretend)
                waiting = []
        if waiting:
            done.redriven += _put(target, waiting, pretend=pretend)
    return done


def _put(target: Target, some: Sequence[tuple[Letter, Record]], *, pretend: bool) -> int:
    if not pretend:
        target.put(some)
    return len(some)


def _judged(letter: Letter, correct: Correct, target: Target) -> tuple[Record | None, str]:
    """What goes back for a letter, or why nothing does."""
    kind = target.kind(letter)
    if kind is None:
        return None, f"{letter.source} is none of the topics in [kafka]; give the configuration it came with"
    record = correct(letter)
    if record is None:
        return None, "its record is no JSON object; correct it with --corrected"
    _, rejects = _DECODERS[kind]([msgspec.json.encode(record)])
    if rejects:
        return None, f"it would be refused again: {rejects[0].reason.value}; correct it"
    return record, ""


def corrections(texts: Mapping[str, Record], changes: Mapping[str, Any]) -> Correct:
    """Records given by key, else the letter's own, with some fields set in both.

    >>> letter = Letter("t", 0, 7, 0, "bad_field", b'{"value": 1}', 0)
    >>> corrections({}, {"metric": "rain"})(letter)
    {'value': 1, 'metric': 'rain'}
    """

    def correct(letter: Letter) -> Record | None:
        record = texts.get(letter.key, letter.record)
        return None if record is None else {**record, **changes}

    return correct


@dataclass(slots=True)
class KafkaTarget:
    """The topics that letters came from.

    Args:
        settings: of the cluster.
        topics: kind of record → topic.
        sources: the topics whose letters are put back.
    """

    settings: KafkaSettings
    topics: Mapping[str, str]
    sources: Sequence[str]
    _kinds: dict[str, Kind] = field(init=False)
    _writer: KafkaTransactions | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._kinds = {topic: kind for kind in _DECODERS if (topic := self.topics.get(kind)) is not None}

    def kind(self, letter: Letter) -> Kind | None:
        """By the topic it came from."""
        return self._kinds.get(letter.source)

    @contextmanager
    def opened(self, *, pretend: bool) -> Iterator[set[str]]:
        """By the marks; an earlier redrive that still runs is shut out first."""
        letters = [source + DLQ for source in self.sources]
        if pretend:
            yield redriven_of_topics(self.settings, letters)
            return
        admin = KafkaAdmin(self.settings)
        there = admin.topics()
        for topic in letters:
            if topic + REDRIVEN not in there:
                admin.create(topic + REDRIVEN, 1, -1, {"cleanup.policy": "compact"})
        with KafkaTransactions(self.settings, "yiwang-redrive", self.settings.timeout) as self._writer:
            yield redriven_of_topics(self.settings, letters)

    def put(self, corrected: Sequence[tuple[Letter, Record]]) -> None:
        """Records to the partitions they came from, and their marks, in one transaction."""
        if self._writer is None:
            raise RuntimeError("open the target before anything is put back")
        messages = []
        for letter, record in corrected:
            key = letter.key.encode()
            headers = ((ID, key), ("content-type", JSON), ("yiwang-redriven", key))
            value = msgspec.json.encode(record)
            messages.append(Outgoing(letter.source, value, key, headers, letter.partition))
            messages.append(Outgoing(letter.source + DLQ + REDRIVEN, value, key))
        self._writer.write(messages)


@dataclass(slots=True)
class FileTarget:
    """A growing file of records, such as an engine follows."""

    path: Path
    of: Kind
    _file: IO[bytes] | None = field(default=None, init=False)

    def kind(self, letter: Letter) -> Kind:
        """As it was said."""
        del letter
        return self.of

    @contextmanager
    def opened(self, *, pretend: bool) -> Iterator[set[str]]:
        """By the lines that say so.

        Raises:
            ValueError: the file ends in half a line.
        """
        if pretend:
            yield _marked(self.path)
            return
        with self.path.open("a+b") as self._file:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if self._file.seek(0, os.SEEK_END):
                self._file.seek(-1, os.SEEK_END)
                if self._file.read(1) != b"\n":
                    raise ValueError(f"{self.path} ends in half a line; complete or remove that line")
            yield _marked(self.path)

    def put(self, corrected: Sequence[tuple[Letter, Record]]) -> None:
        """Append lines at once."""
        if self._file is None:
            raise RuntimeError("open the target before anything is put back")
        lines = [msgspec.json.encode({**record, MARK: letter.key}) + b"\n" for letter, record in corrected]
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())


def _marked(path: Path) -> set[str]:
    if not path.exists():
        return set()
    with path.open("rb") as file:
        return {found[1].decode() for line in file if (found := _MARKED.search(line))}
