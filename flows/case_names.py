"""Ids of cases by the hashes that lanes know them by: event files, read once more."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from flows.columns import Events
from flows.inputs import Input
from flows.record_files import RecordFile, decode
from flows.stable_key import stable_key

_BLOCK = 50_000


def case_names(inputs: Iterable[Input], wanted: Collection[int]) -> dict[int, str]:
    """The ids of some cases; reading ends where all are found."""
    found: dict[int, str] = {}
    for source in (source for source in inputs if source.kind == "events"):
        if len(found) < len(wanted):
            _search(source, wanted, found)
    return found


def _search(source: Input, wanted: Collection[int], found: dict[int, str]) -> None:
    file = RecordFile(source.path, source.kind)
    try:
        while len(found) < len(wanted) and (block := file.read(_BLOCK)) is not None:
            columns, _ = decode(block, source.kind)
            if isinstance(columns, Events):
                keys = {stable_key(text): text for text in dict.fromkeys(columns.event_id)}
                found.update((key, keys[key]) for key in keys.keys() & set(wanted))
    finally:
        file.close()
