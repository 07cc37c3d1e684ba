"""What the packages never do: run, unpickle or evaluate what comes from outside; listen unasked."""

import ast
import os
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard

from flows.config.configuration import Configuration, PrometheusSection
from flows.control.change import Change
from flows.decoding.provenance import Tally
from flows.recovery.recovery_folder import RecoveryFolder
from flows.recovery.snapshots import FORMAT, packed, thaw

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("geo", "indicators", "alerts", "sinks", "sim", "flows")
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
OWN = {"flows/recovery/snapshots.py": ["imports pickle"]}
"""The engine's own state, read by an unpickler that knows plain values and our records alone."""
CALLS = {"eval", "exec", "compile", "__import__"}
MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
ATTRIBUTES = {("os", "system"), ("os", "popen"), ("np", "fromfile"), ("tempfile", "mktemp")}


def faults(text: str) -> Iterator[str]:
    """What a text of Python does that it must not."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            yield from (f"imports {name}" for name in names if name.split(".")[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in CALLS:
            yield f"calls {called.id}"
        if isinstance(called, ast.Attribute) and (ast.unparse(called.value), called.attr) in ATTRIBUTES:
            yield f"calls {ast.unparse(called)}"
        for word in node.keywords:
            if word.arg in {"shell", "allow_pickle"} and not (
                isinstance(word.value, ast.Constant) and word.value.value is False
            ):
                yield f"passes {word.arg}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_runs_what_it_reads(path: Path) -> None:
    allowed = OWN.get(str(path.relative_to(ROOT)), [])
    assert list(faults(path.read_text(encoding="utf-8"))) == allowed


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "os.system('ls')",
        "run('ls', shell=True)",
        "import yaml",
        "np.load(f, allow_pickle=True)",
    ],
)
def test_what_must_not_be_is_seen(text: str) -> None:
    assert len(list(faults(text))) == 1


def test_metrics_are_for_this_machine_alone_unless_told_otherwise() -> None:
    assert PrometheusSection().host == "127.0.0.1"
    assert msgspec.convert({"prometheus": {"port": 9464}}, Configuration).prometheus.host == "127.0.0.1"


def test_the_limits_that_are_documented_are_those_of_the_code() -> None:
    guide = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [
        line.split("|") for line in guide.split("## Limits")[1].split("\n## ")[0].splitlines() if "`" in line
    ]
    named = [cells[3].split("`")[1::2] for cells in rows if len(cells) > 4]
    assert len(named) > 15
    for words in named:
        texts = [(ROOT / word).read_text(encoding="utf-8") for word in words if word.endswith(".py")]
        assert all(any(f"\n{word} = " in text for text in texts) for word in words if word.isupper()), words


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch owned",)


@pytest.mark.parametrize("name", ["os\nsystem", "builtins\neval", "flows.live.run_workers\nsubprocess"])
def test_a_state_that_names_anything_else_is_refused_and_not_called(name: str) -> None:
    state = b"c" + name.encode() + b"\n(S'touch owned'\ntR."
    with pytest.raises(ValueError, match="no part of a state"):
        thaw(FORMAT + zstandard.compress(state))


def test_a_dotted_name_does_not_lead_out_of_our_modules() -> None:
    state = b"\x80\x04\x8c\x16flows.live.run_workers\x8c\x10subprocess.Popen\x93."
    with pytest.raises(ValueError, match="no part of a state"):
        thaw(FORMAT + zstandard.compress(state))
    with pytest.raises(ValueError, match=r"posix\.system, which is no part"):
        thaw(packed(Evil()))


def test_states_of_all_plain_kinds_come_back() -> None:
    state = {
        "a": np.arange(3),
        "b": np.float64(1.5),
        "c": {1, 2},
        "d": deque([1]),
        "e": Counter("aab"),
        "f": b"x",
    }
    state |= {"g": Change(1, 2), "h": np.array(["x"]), "i": np.zeros(1, [("a", "i4")]), "j": Tally(3, 2)}
    back = thaw(packed(state))
    assert back["a"].tolist() == [0, 1, 2]
    assert {name: back[name] for name in "bcdefgj"} == {name: state[name] for name in "bcdefgj"}


def test_the_recovery_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    folder = RecoveryFolder(tmp_path / "state")
    with folder.locked():
        pass
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
