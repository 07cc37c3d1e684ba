"""Ids of sensors and cases by the hashes that lanes know them by: the files, read once more."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import numpy as np

from flows.admission.name_table import NameTable
from flows.admission.stable_key import stable_key
from flows.decoding.columns import Events, Readings
from flows.decoding.record_files import RecordFile, decode
from flows.inputs import Input
from flows.wire import Kind

_BLOCK = 20_000


def record_names(inputs: Iterable[Input], kind: Kind, wanted: AbstractSet[int]) -> dict[int, str]:
    """The ids of some sensors (``readings``) or cases (``events``); reading ends where all are found."""
    found: dict[int, str] = {}
    for source in (source for source in inputs if source.kind == kind):
        if len(found) < len(wanted):
            _search(source, wanted, found)
    return found


def _search(source: Input, wanted: AbstractSet[int], found: dict[int, str]) -> None:
    file, seen = RecordFile(source.path, source.kind), set[str]()
    try:
        while len(found) < len(wanted) and (block := file.read(_BLOCK)) is not None:
            columns, _ = decode(block, source.kind)
            fresh = list(set(_ids(columns)) - seen)
            keys = dict(zip(_keys(fresh, source.kind), fresh, strict=True))
            found.update((key, keys[key]) for key in keys.keys() & wanted)
            seen |= set(fresh)
    finally:
        file.close()


def _ids(columns: object) -> list[str]:
    if isinstance(columns, Readings):
        return columns.sensor.values
    return columns.event_id if isinstance(columns, Events) else []


def _keys(texts: list[str], kind: Kind) -> list[int]:
    """The hashes of some ids: sensors and cases have hashes of their own."""
    if kind == "events":
        return [stable_key(text) for text in texts]
    table = NameTable(texts)
    keys: list[int] = table.keys(np.arange(len(texts))).tolist()
    return keys
