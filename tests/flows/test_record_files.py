"""Record files: every record once, in order, from any position on, whatever the format."""

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from flows.decoding import line_files
from flows.decoding.decode import decode_readings
from flows.decoding.line_files import KEPT_OF_A_CUT_LINE
from flows.decoding.record_files import Block, RecordFile, decode
from flows.wire import MAX_MESSAGE

LINE = st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b""))
TEXTS = st.lists(st.tuples(LINE, st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n"])), max_size=20)


def zipped(text: bytes) -> bytes:
    half = len(text) // 2
    pack = zstandard.ZstdCompressor().compress
    return pack(text[:half]) + pack(text[half:])


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".jsonl": bytes,
    ".jsonl.gz": gzip.compress,
    ".jsonl.zst": zipped,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


def readings(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sensor_id": [f"s{i % 7}" for i in range(count)],
            "metric": ["rain_intensity"] * count,
            "value": [i / 2 for i in range(count)],
            "ts": range(count),
        }
    )


def write(path: Path, table: pl.DataFrame) -> Path:
    plain = table.to_arrow().cast(
        pa.schema([("sensor_id", "string"), ("metric", "string"), ("value", "float64"), ("ts", "int64")])
    )
    if path.suffix == ".parquet":
        pq.write_table(plain, path, row_group_size=17)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(str(path), plain.schema) as file:
            file.write_table(plain, max_chunksize=13)
    elif path.suffix == ".arrows":
        with pa.ipc.new_stream(str(path), plain.schema) as stream:
            stream.write_table(plain, max_chunksize=13)
    else:
        suffix = "".join(path.suffixes)
        path.write_bytes(
            PACKERS[suffix](b"".join(json.dumps(row).encode() + b"\n" for row in table.to_dicts()))
        )
    return path


def blocks(path: Path, n: int) -> list[Block]:
    with RecordFile(path, "readings") as file:
        return list(iter(lambda: file.read(n), None))


def lines(path: Path, n: int = 1000) -> list[bytes]:
    return [line for block in blocks(path, n) for line in block.messages]


@pytest.mark.parametrize("suffix", PACKERS)
@given(text=TEXTS, n=st.integers(1, 7), last=st.sampled_from([b"", b"\n"]))
def test_each_line_that_is_not_blank_is_a_record(
    place: Path, suffix: str, text: list[tuple[bytes, bytes]], n: int, last: bytes
) -> None:
    whole = b"".join(line + end for line, end in text).removeprefix(b"\xef\xbb\xbf")
    path = place / f"lines{suffix}"
    path.write_bytes(PACKERS[suffix](whole.removesuffix(last)))
    expected = [line for line in whole.replace(b"\r\n", b"\n").split(b"\n") if line.strip()]
    assert [line.rstrip() for line in lines(path, n)] == [line.rstrip() for line in expected]
    found = blocks(path, n)
    assert [block.first for block in found] == list(range(0, len(expected), n))
    assert all(len(block) == n for block in found[:-1])


@pytest.mark.parametrize("suffix", [*PACKERS, ".parquet", ".arrow", ".arrows"])
@given(n=st.integers(1, 40), stop=st.integers(0, 60), again=st.integers(1, 40))
def test_reading_on_from_a_stored_position_gives_the_same_records(
    place: Path, suffix: str, n: int, stop: int, again: int
) -> None:
    path = place / f"table{suffix}"
    if not path.exists():
        write(path, readings(101))
    stamps: list[int] = []
    with RecordFile(path, "readings") as file:
        while len(stamps) < stop:
            block = file.read(n)
            assert block is not None
            stamps += decode(block, "readings")[0].ts.tolist()
        position = pickle.loads(pickle.dumps(file.position()))  # noqa: S301  # our own bytes
    with RecordFile(path, "readings") as file:
        file.read(5)
        file.seek(position)
        assert file.position()[2] == len(stamps)
        while block := file.read(again):
            assert block.first == len(stamps)
            stamps += decode(block, "readings")[0].ts.tolist()
        assert file.position()[2] == 101
    assert stamps == list(range(101))


@pytest.mark.parametrize("suffix", [*PACKERS, ".parquet", ".arrow", ".arrows"])
def test_progress_ends_where_the_file_ends(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"readings{suffix}", readings(101))
    with RecordFile(path, "readings") as file:
        seen = []
        while file.read(10):
            seen.append(file.bytes_read)
        assert seen == sorted(seen)
        assert file.bytes_read == file.total_bytes == path.stat().st_size


@pytest.mark.parametrize("suffix", [*PACKERS, ".parquet", ".arrow", ".arrows"])
def test_an_empty_file_has_no_records(tmp_path: Path, suffix: str) -> None:
    assert blocks(write(tmp_path / f"readings{suffix}", readings(0)), 10) == []


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_bytes(b"\xef\xbb\xbf{}\n{}")
    assert lines(path) == [b"{}", b"{}"]


@pytest.mark.parametrize("suffix", PACKERS)
def test_small_chunks_change_nothing(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / f"readings{suffix}", readings(50))
    whole = lines(path)
    monkeypatch.setattr(line_files, "_CHUNK", 7)
    assert lines(path, 3) == whole
    assert len(whole) == 50


GOOD = b'{"sensor_id":"s","metric":"m","value":1,"ts":1}'


@pytest.mark.parametrize("extra", [1, 1 << 20, 3 << 20])
@pytest.mark.parametrize("suffix", PACKERS)
def test_a_line_too_large_is_cut_and_refused_and_its_neighbours_live(
    tmp_path: Path, suffix: str, extra: int
) -> None:
    path = tmp_path / f"readings{suffix}"
    large = GOOD + b" " * (MAX_MESSAGE + extra - len(GOOD))
    path.write_bytes(PACKERS[suffix](b"\n".join([GOOD, large, GOOD, GOOD])))
    with RecordFile(path, "readings") as file:
        block = file.read(3)
        position = file.position()
        assert block is not None
        columns, rejects = decode(block, "readings")
        assert columns.message.tolist() == [0, 2]
        assert [(r.message, r.reason.value, r.raw) for r in rejects] == [
            (1, "too_large", large[:KEPT_OF_A_CUT_LINE])
        ]
        file.seek(position)
        assert file.read(9) == Block([GOOD], 3)


def test_a_line_of_exactly_the_limit_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_bytes(b"[" + b" " * (MAX_MESSAGE - 2) + b"]\n" + GOOD + b"\n")
    (block,) = blocks(path, 9)
    assert (len(block.messages[0]), block.cut) == (MAX_MESSAGE, ())
    assert decode_readings(block.messages)[0].message.tolist() == [1]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_file_that_breaks_off_is_a_clear_error(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"readings{suffix}", readings(500))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"is damaged behind record \d+ .*compress it again"):
        lines(path)


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst", ".parquet", ".arrow", ".arrows"])
@given(junk=st.binary(min_size=1, max_size=50))
def test_junk_under_a_good_name_is_a_value_error(place: Path, suffix: str, junk: bytes) -> None:
    path = place / f"junk{suffix}"
    path.write_bytes(junk)
    with pytest.raises(ValueError, match="junk"):
        blocks(path, 10)


def test_another_ending_is_refused_with_the_endings_that_are_known(tmp_path: Path) -> None:
    path = tmp_path / "readings.xlsx"
    path.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"\.jsonl, \.jsonl\.gz, \.jsonl\.zst, \.parquet.*got readings\.xlsx"
    ):
        RecordFile(path, "readings")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RecordFile(tmp_path / "readings.jsonl", "readings")
