"""ARCHITECTURE.md says what is there: every file of the packages, every step of the flow, and no other."""

import re
from pathlib import Path

import pytest

from flows.city_flow import STEPS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
TOPS = ("geo", "indicators", "alerts", "sinks", "sim", "flows")
PACKAGES = (*TOPS, *sorted(f"flows/{init.parent.name}" for init in (ROOT / "flows").glob("*/__init__.py")))
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)


def block(heading: str) -> str:
    """The first fenced block under a heading."""
    return re.split(r"^```\w*$", TEXT.split(f"\n## {heading}\n", 1)[1], flags=re.MULTILINE)[1]


def tree() -> dict[str, list[str]]:
    """Package -> the files its lines name; a line is names, two spaces, what they are for."""
    found: dict[str, list[str]] = {}
    package = ""
    for line in block("The tree").strip().splitlines():
        if header := re.match(r"([\w/]+)/ ", line):
            package = header[1]
            found[package] = []
        else:
            found[package] += re.split(r" {2,}", line.strip())[0].split()
    return found


def test_it_stays_short() -> None:
    lines = TEXT.splitlines()
    assert len(lines) <= 240
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tree_names_every_file_of_a_package_once_and_no_other(package: str) -> None:
    files = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    named = tree()[package]
    assert sorted(named) == sorted(files)


def test_the_diagram_shows_the_frozen_steps_and_no_other() -> None:
    assert set(re.findall(r"[a-z_]+", block("The graph"))) == set(STEPS)


def test_the_types_on_the_way_are_defined_where_it_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", TEXT, re.MULTILINE)
    assert len(rows) > 8
    for name, makers in rows:
        for maker in re.findall(r"`([\w/]+)`", makers):
            places = (*PACKAGES, "") if "/" in maker else PACKAGES
            (path,) = [p for place in places if (p := ROOT / place / f"{maker}.py").exists()]
            assert name in path.read_text(encoding="utf-8"), f"{path} does not know {name}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(name: str) -> None:
    path = ROOT / name
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    local = [link.split("#")[0] for link in links if not re.match(r"https?:|mailto:|#", link)]
    assert [link for link in local if not (path.parent / link).exists()] == []
