"""Every input that was ever kept, some new ones a target, and records that hypothesis makes."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.threshold_file import check_thresholds, read_thresholds
from geo.polygons import MAX_VERTICES, mend
from geo.rings import GeometryError
from indicators.catalogue import Catalogue
from indicators.toml_text import MAX_TOML, TomlError, read_toml
from tests.fuzz.fuzz import main, table
from tests.fuzz.fuzz_mutations import Mutator
from tests.fuzz.fuzz_records import DECODERS, json_messages
from tests.fuzz.fuzz_runs import DYING, TARGETS, watched
from tests.fuzz.fuzz_targets import Target
from tests.fuzz.fuzz_texts import OVERRIDE
from tests.fuzz.fuzz_worker import Outcome, Slot, run

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
NAMES = (
    "sensor_id",
    "metric",
    "value",
    "ts",
    "lon",
    "lat",
    "crs",
    "event_id",
    "type",
    "status",
    "incident_id",
    "action",
    "actor",
    "severity",
    "note",
)
RECORDS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), JSON, max_size=8)
MESSAGES = st.binary(max_size=40) | (RECORDS | st.lists(RECORDS | JSON, max_size=4) | JSON).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
)


@pytest.mark.parametrize("name", TARGETS)
def test_all_that_is_kept_and_some_more_end_as_promised(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    kept = target.inputs()
    outcome = run(target, len(kept) + 100, 11, Slot(tmp_path / "slot"))
    assert outcome.faults == []
    assert outcome.inputs >= len(kept) + 100
    assert any("accepted" in word or "block" in word or "True" in word for word in outcome.words)


@given(st.sampled_from(sorted(DECODERS)), st.lists(MESSAGES, min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_records_of_any_shape_are_accepted_or_refused_once(kind: Any, messages: Sequence[bytes]) -> None:
    assert len(json_messages(kind, messages)) == len(messages)


def _bad(inputs: Sequence[bytes]) -> list[str]:
    for text in inputs:
        if b"x" in text:
            raise KeyError(text.decode(errors="replace"))
    return ["accepted"] * len(inputs)


def test_a_fault_is_found_and_names_its_input(tmp_path: Path) -> None:
    outcome = run(Target("bad", _bad, [b"abc", b"ab"], [b"x"], batch=8), 5_000, 1, Slot(tmp_path / "slot"))
    assert len(outcome.faults) == 10
    for fault, text in outcome.faults:
        assert fault.startswith("KeyError: ")
        assert b"x" in text


def test_a_process_that_dies_leaves_its_batch(tmp_path: Path) -> None:
    outcome = watched(DYING.name, 100, 1, tmp_path)
    assert outcome.faults == [("crashed with exit code 9", b"last words")]


def test_memory_that_grows_is_a_fault(tmp_path: Path) -> None:
    kept: list[bytearray] = []

    def leaking(inputs: Sequence[bytes]) -> list[str]:
        kept.append(bytearray(b"\x01" * (2 << 20)))
        return ["accepted"] * len(inputs)

    outcome = run(Target("leak", leaking, [b"a"], batch=10), 1_000, 1, Slot(tmp_path / "slot"))
    assert [fault for fault, _ in outcome.faults] == [f"memory grew by {outcome.growth >> 20} MB"]


def test_the_same_seed_gives_the_same_inputs() -> None:
    one, two, other = (Mutator(seed, [b"w"]) for seed in ("1 a", "1 a", "2 a"))
    made = [[mutator.of([b'{"a":1}', b"[1,2]"]) for _ in range(50)] for mutator in (one, two, other)]
    assert made[0] == made[1] != made[2]


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.md"
    assert main(["--inputs", "300", "--targets", "time,headers", "--report", str(report)]) == 0
    assert report.read_text() == capsys.readouterr().out
    assert "| time | " in table([Outcome("time", 5)])
    with pytest.raises(SystemExit, match="2"):
        main(["--targets", "nothing"])


def test_toml_that_is_too_long_or_too_deep_has_the_one_error() -> None:
    assert read_toml("a = 1 #" + " " * (MAX_TOML - 7)) == {"a": 1}
    for text in (" " * (MAX_TOML + 1), "a = " + "[" * 3_000 + "]" * 3_000, "a = 1" + "0" * 5_000):
        with pytest.raises(TomlError):
            read_toml(text)


def test_a_number_greater_than_any_float_is_no_threshold() -> None:
    text = (Path(__file__).parent / "corpus/thresholds/great_number").read_text()
    (fault,) = check_thresholds([("a.toml", text)], Catalogue.load())
    assert fault.key == "levels.red.raise"
    assert len(read_thresholds([("a.toml", OVERRIDE.decode())], Catalogue.load()).overrides) == 1


def test_an_area_of_too_many_points_is_refused() -> None:
    ring = [[114.0 + i % 2, 30.0 + i * 1e-6] for i in range(MAX_VERTICES + 1)]
    with pytest.raises(GeometryError, match="200001 points, at most 200000"):
        mend({"type": "Polygon", "coordinates": [ring]}, lambda x, y: (x, y))


def test_a_bomb_of_zeros_is_passed_over_in_bounded_memory() -> None:
    packed = gzip.compress(b"\x00" * (64 << 20)) + gzip.compress(b'\n{"a":1}\n')
    assert TARGETS["lines_gz"].run([b" " + packed]) == ["1 blocks"]
    assert len(packed) < 100_000


@pytest.mark.parametrize("frames", [0, 200, 500])
def test_an_array_with_a_fault_at_any_depth_is_judged_by_its_bytes_alone(frames: int) -> None:
    def below(message: bytes, left: int) -> list[str]:
        return below(message, left - 1) if left else json_messages("readings", [message])

    good = b'{"sensor_id":"s","metric":"m","value":1,"ts":1}'
    found = {
        depth: below(b"[" + good + b',{"x":' + b"[" * depth + b"x" + b"]" * depth + b"}]", frames)
        for depth in (0, 100, 254, 255, 300, *range(380, 1_010), 3_000)
    }
    assert {depth for depth, said in found.items() if said == ["bad_json"]} == {0, 100, 254, 255}
    assert {said[0] for depth, said in found.items() if depth > 255} == {"accepted+bad_json"}
