"""JSON messages -> records one by one, with where each stood and what was refused.

Every message is parsed alone, so that no line can complete another; a message or element that fails costs
nobody but itself. Whether a record is accepted depends on its bytes alone.
"""

import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

import msgspec
import numpy as np

from flows.decoding.columns import Ints, Reject
from flows.decoding.nesting import split_array, too_deep
from flows.wire import MAX_DEPTH, MAX_MESSAGE, MAX_RECORD, Reason

R = TypeVar("R")

_elements_of = msgspec.json.Decoder(list[msgspec.Raw]).decode
_syntax = msgspec.json.Decoder(msgspec.Raw).decode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


_NESTED = re.compile(rb":[ \t\r\n]*+\{")
"""An object within an object; texts may look like one too."""


@dataclass(frozen=True, slots=True)
class Received(Generic[R]):
    """n records in the order of arrival: parsed, and where they stood; then the rejects."""

    rows: list[R]
    message: Ints
    index: Ints
    rejects: list[Reject]


def receive(
    messages: Sequence[bytes],
    cut: Collection[int],
    one: Callable[[bytes], R],
    many: Callable[[bytes], list[R]],
) -> Received[R]:
    """Parse messages, each one object or one array of objects.

    ``one`` parses a single object; ``many`` a whole array of them, as ``one`` would each, or not at all.

    >>> one, many = (msgspec.json.Decoder(kind).decode for kind in (dict[str, int], list[dict[str, int]]))
    >>> receive([b'{"a":1}', b'[{"a":2}]'], (), one, many).rows
    [{'a': 1}, {'a': 2}]
    """
    arrays = _sound_arrays(messages, cut, many)
    numbers = [n for n in range(len(messages)) if n not in arrays] if arrays else list(range(len(messages)))
    others = _others(messages, numbers, cut, one)
    if not arrays:
        return others
    rows = list(chain.from_iterable(arrays.values()))
    sizes = np.fromiter(map(len, arrays.values()), np.int64, len(arrays))
    begin = np.repeat(np.cumsum(sizes) - sizes, sizes)
    message = np.repeat(np.fromiter(arrays, np.int64, len(arrays)), sizes)
    return _merged(others, Received(rows, message, np.arange(len(rows)) - begin, others.rejects))


def _sound_arrays(
    messages: Sequence[bytes], cut: Collection[int], many: Callable[[bytes], list[R]]
) -> dict[int, list[R]]:
    """The records of those messages that are arrays without a fault, parsed at once."""
    found: dict[int, list[R]] = {}
    for number, text in enumerate(messages):
        if text[:1] == b"[" and number not in cut and len(text) <= MAX_RECORD and _is_flat(text):
            with suppress(*_REFUSED):
                found[number] = many(text)
    return found


def _is_flat(text: bytes) -> bool:
    return text.count(b"[") == 1 and _is_utf8(text) and not _NESTED.search(text)


def _others(
    messages: Sequence[bytes], listed: list[int], cut: Collection[int], one: Callable[[bytes], R]
) -> Received[R]:
    """The same for the messages of these numbers, record by record."""
    rejects = [Reject(number, 0, Reason.TOO_LARGE, messages[number]) for number in cut]
    listed = [number for number in listed if number not in cut] if cut else listed
    raw = messages if len(listed) == len(messages) else [messages[number] for number in listed]
    numbers = np.array(listed, np.int64)
    rows, failed = _sieve(raw, one)
    numbers, again = np.delete(numbers, failed), numbers[failed].tolist()
    elements, message, index = _unpacked(messages, again, rejects)
    singles = Received(rows, numbers, np.zeros(len(rows), np.int64), rejects)
    if not elements:
        return singles
    rows, failed = _sieve(elements, one)
    rejects += [Reject(message[i], index[i], _reason(elements[i]), elements[i]) for i in failed]
    places = [np.delete(np.array(column, np.int64), failed) for column in (message, index)]
    return _merged(singles, Received(rows, places[0], places[1], rejects))


def _sieve(raw: Sequence[bytes], one: Callable[[bytes], R]) -> tuple[list[R], list[int]]:
    """Parse what can be parsed; return the positions of the rest too."""
    rows: list[R] = []
    failed: list[int] = []
    rest = map(one if _harmless(raw) else partial(_checked, one), raw)
    while True:
        try:
            rows.extend(rest)  # keeps what came before an error, and can go on behind it
        except _REFUSED:
            failed.append(len(rows) + len(failed))
        else:
            return rows, failed


def _harmless(raw: Sequence[bytes]) -> bool:
    longest = max(map(len, raw), default=0)
    if longest > MAX_RECORD or not _is_utf8(b"\n".join(raw)):
        return False
    return longest <= MAX_DEPTH or not any(map(too_deep, raw))


def _checked(one: Callable[[bytes], R], raw: bytes) -> R:
    if len(raw) > MAX_RECORD or not _is_utf8(raw) or too_deep(raw):
        raise msgspec.DecodeError
    return one(raw)


def _unpacked(
    messages: Sequence[bytes], again: list[int], rejects: list[Reject]
) -> tuple[list[bytes], list[int], list[int]]:
    """The elements of those messages that are arrays, where each stood; the others are rejects."""
    raw: list[bytes] = []
    message: list[int] = []
    index: list[int] = []
    for number in again:
        elements = elements_of(messages[number])
        if isinstance(elements, Reason):
            rejects.append(Reject(number, 0, elements, messages[number]))
            continue
        raw += elements
        message += [number] * len(elements)
        index += range(len(elements))
    return raw, message, index


def elements_of(message: bytes) -> list[bytes] | Reason:
    """The elements of a message that is an array, or why there are none.

    Follows from the bytes alone: where the parser gives up, as it does at a depth that moves with the call
    stack, or at a fault that may lie behind that depth, the brackets decide.

    >>> elements_of(b'[{"a":1}, 2]'), elements_of(b"[1")
    ([b'{"a":1}', b'2'], <Reason.BAD_JSON: 'bad_json'>)
    """
    if message.lstrip()[:1] != b"[":
        return _reason(message)
    if len(message) > MAX_MESSAGE:
        return Reason.TOO_LARGE
    try:
        return list(map(bytes, _elements_of(message)))
    except (msgspec.DecodeError, RecursionError):
        return _deep_elements(message) if too_deep(message) else Reason.BAD_JSON


def _deep_elements(message: bytes) -> list[bytes] | Reason:
    """Split an array too deep for the parser; it must be sound with its deep elements left out."""
    elements = split_array(message)
    shallow = [b"0" if too_deep(element) else element for element in elements]
    try:
        _elements_of(b"[" + b",".join(shallow) + b"]")
    except (msgspec.DecodeError, RecursionError):
        return Reason.BAD_JSON
    return elements


def _reason(raw: bytes) -> Reason:
    """Why a single record failed."""
    if len(raw) > MAX_RECORD:
        return Reason.TOO_LARGE
    if too_deep(raw) or not _is_utf8(raw):
        return Reason.BAD_JSON
    try:
        _syntax(raw)
    except _REFUSED:
        return Reason.BAD_JSON
    return Reason.BAD_FIELD


def _is_utf8(text: bytes) -> bool:
    # The parser passes over the strings of unknown fields without looking at their bytes.
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _merged(singles: Received[R], elements: Received[R]) -> Received[R]:
    if not singles.rows:
        return elements
    message = np.concatenate([singles.message, elements.message])
    index = np.concatenate([singles.index, elements.index])
    order = np.argsort(message, kind="stable")
    rows = singles.rows + elements.rows
    return Received([rows[i] for i in order.tolist()], message[order], index[order], elements.rejects)
