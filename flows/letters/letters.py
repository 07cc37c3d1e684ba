"""Dead letters as they are read back: from the topics ``TOPIC.dlq``, or from ``rejects.jsonl``.

>>> letter = read_letter(b'{"source":"t","partition":0,"offset":7,"index":0,"reason":"bad_json",'
...                      b'"raw_base64":"ew==","ts_received":0}')
>>> letter.key, letter.raw, letter.record
('t/0/7/0', b'{', None)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from sinks.kafka_contents import DLQ, letter_key
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_spans import messages_between, topic_ends
from sinks.kafka_types import KafkaSettings

REDRIVEN = ".redriven"
"""What the name of a dead letter topic gets for the topic that says which went back."""


class _Fields(msgspec.Struct, frozen=True):
    source: str
    partition: int
    offset: int
    index: int
    reason: str
    raw_base64: str
    ts_received: int


_decode = msgspec.json.Decoder(_Fields).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True)
class Letter:
    """One refused record, as the contract has it; ``raw`` is empty where its topic could not take it."""

    source: str
    partition: int
    offset: int
    index: int
    reason: str
    raw: bytes
    ts_received: int

    @property
    def key(self) -> str:
        """Where it came from: ``source/partition/offset/index``."""
        return letter_key(self.source, self.partition, self.offset, self.index).decode()

    @cached_property
    def record(self) -> dict[str, Any] | None:
        """The record if it is a JSON object, else None."""
        try:
            return _object(self.raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def told(self, *, redriven: bool) -> dict[str, Any]:
        """All there is to say, for ``--json``."""
        return {
            "key": self.key,
            "source": self.source,
            "partition": self.partition,
            "offset": self.offset,
            "index": self.index,
            "reason": self.reason,
            "ts_received": self.ts_received,
            "redriven": redriven,
            "record": self.record,
            "raw_base64": base64.b64encode(self.raw).decode(),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant; an empty choice means all.

    >>> Wanted(reasons=("bad_json",)).takes(Letter("t", 0, 7, 0, "bad_field", b"{}", 0))
    False
    """

    reasons: Sequence[str] = ()
    sources: Sequence[str] = ()
    keys: Sequence[str] = ()
    since: int | None = None
    until: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is one of them."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.sources or letter.source in self.sources)
            and (not self.keys or letter.key in self.keys)
            and (self.since is None or letter.ts_received >= self.since)
            and (self.until is None or letter.ts_received < self.until)
        )


def read_letter(line: bytes) -> Letter:
    """A letter from its JSON.

    Raises:
        ValueError: it is none.
    """
    try:
        fields = _decode(line)
        raw = base64.b64decode(fields.raw_base64, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise ValueError(f"no dead letter ({error}); found {line[:80]!r}") from error
    return Letter(
        fields.source, fields.partition, fields.offset, fields.index, fields.reason, raw, fields.ts_received
    )


def letters_of_file(path: Path) -> Iterator[Letter]:
    """The letters of a ``rejects.jsonl``.

    Raises:
        ValueError: a line is none.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            # The last line of a running engine may not be all there yet.
            if line.strip() and line.endswith(b"\n"):
                try:
                    yield read_letter(line)
                except ValueError as error:
                    raise ValueError(f"{path} line {number}: {error}; give a rejects.jsonl") from error


def letter_topics(settings: KafkaSettings, sources: Sequence[str]) -> list[str]:
    """The dead letter topics of some topics, those that are there."""
    known = KafkaAdmin(settings).topics()
    return [source + DLQ for source in sources if source + DLQ in known]


def letters_of_topics(settings: KafkaSettings, topics: Sequence[str]) -> Iterator[Letter]:
    """All letters that are in some topics now; those of one partition in order.

    Raises:
        ValueError: a message is none.
        KafkaAwayError: a broker did not answer.
    """
    spans = {place: (0, end) for place, end in topic_ends(settings, topics, committed=True).items()}
    for message in messages_between(settings, spans):
        try:
            yield read_letter(message.value() or b"")
        except ValueError as error:
            place = f"{message.topic()} [{message.partition()}] offset {message.offset()}"
            raise ValueError(f"{place}: {error}; another program writes to this topic") from error


def redriven_of_topics(settings: KafkaSettings, topics: Sequence[str]) -> set[str]:
    """Keys of the letters of these topics that went back."""
    ends = topic_ends(settings, [topic + REDRIVEN for topic in topics])
    spans = {place: (0, end) for place, end in ends.items()}
    return {(message.key() or b"").decode() for message in messages_between(settings, spans)}
