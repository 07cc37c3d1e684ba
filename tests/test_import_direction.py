"""Imports point one way: geo ← indicators ← alerts ← sinks ← flows; sim knows geo and the wire format."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "geo": set(),
    "indicators": {"geo"},
    "alerts": {"geo", "indicators"},
    "sinks": {"geo", "indicators", "alerts"},
    "sim": {"geo", "flows"},
    "flows": {"geo", "indicators", "alerts", "sinks", "sim"},
}
"""Which of our packages a package may import besides itself."""

ONE_SEAM = ("confluent_kafka", "prometheus_client", "redis", "river", "shapely", "structlog")
"""Libraries that one module of ours imports at most, so that each can be replaced in one place."""

FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} line {node.lineno}: a relative import hides where it points"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_imports_only_packages_below_its_own(path: Path) -> None:
    package = package_of(path)
    ours = {name.split(".")[0] for name in imports(path)} & MAY_IMPORT.keys() - {package}
    assert ours <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", [p for p in FILES if package_of(p) == "sim"], ids=name_of)
def test_sim_knows_of_flows_only_the_wire_format(path: Path) -> None:
    assert all(
        n == "flows" or n.startswith("flows.wire") for n in imports(path) if n.split(".")[0] == "flows"
    )


def test_the_wire_format_imports_nothing_of_ours() -> None:
    assert not {name.split(".")[0] for name in imports(ROOT / "flows" / "wire.py")} & MAY_IMPORT.keys()


@pytest.mark.parametrize("library", ONE_SEAM)
def test_a_replaceable_library_is_imported_in_one_module(library: str) -> None:
    users = [name_of(p) for p in FILES if library in {name.split(".")[0] for name in imports(p)}]
    assert len(users) <= 1, users


def test_the_streaming_engine_is_known_in_flows_and_sinks_only() -> None:
    users = {package_of(p) for p in FILES if "bytewax" in {name.split(".")[0] for name in imports(p)}}
    assert users <= {"flows", "sinks"}


def test_no_module_imports_tests_or_benchmarks() -> None:
    tops = {name.split(".")[0] for path in FILES for name in imports(path)}
    assert not tops & {"tests", "benchmarks", "pytest", "hypothesis"}


def test_packages_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        own = package_of(path)
        wire_only = own == "sim"
        tops = {n.split(".")[0] for n in imports(path)} & MAY_IMPORT.keys() - {own}
        graph[own] |= tops - ({"flows"} if wire_only else set())
    done: set[str] = set()
    while ready := {p for p in MAY_IMPORT if p not in done and graph[p] <= done}:
        done |= ready
    assert done == MAY_IMPORT.keys()
