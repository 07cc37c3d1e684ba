"""Past readings in temporary files."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from flows.recovery import file_attic
from flows.recovery.file_attic import FileAttic


def open_files(folder: Path) -> int:
    links = list(Path("/proc/self/fd").iterdir())
    return sum(str(folder) in str(link.readlink()) for link in links if link.is_symlink())


def test_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    attic = FileAttic(tmp_path / "made")
    data = [bytes([i]) * i for i in range(50)]
    assert [place.get() for place in [attic.put(part) for part in data]] == data
    assert list((tmp_path / "made").iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files can be counted on Linux only")
def test_a_file_goes_when_nothing_in_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_attic, "FILE_BYTES", 100)
    attic = FileAttic(tmp_path)
    places = [attic.put(bytes(60)) for _ in range(8)]
    assert open_files(tmp_path) == 4
    del places[:4]
    gc.collect()
    assert open_files(tmp_path) == 2
    assert places[0].get() == bytes(60)


def test_a_file_that_was_cut_is_said_to_be(tmp_path: Path) -> None:
    place = FileAttic(tmp_path).put(b"readings")
    os.ftruncate(place.file.number, 3)
    with pytest.raises(OSError, match="ends 5 bytes too soon"):
        place.get()
