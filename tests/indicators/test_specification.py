"""`yiwang catalogue list --json` beside the specification, field by field.

`tests/data/indicators_spec.csv` is a copy of the catalogue as it was specified: its columns, `meaning` for
the prose formula, `formula` in the formula language, and the provenance of each level.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.commands.catalogue import app

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = ROOT / "tests" / "data" / "indicators_spec.csv"
SHARED = ROOT.parent / "shared"
LEVELS = ("blue", "yellow", "orange", "red")

Row = dict[str, str]


def table(path: Path) -> dict[str, Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row for row in csv.DictReader(lines)}


SPECIFIED = table(SPECIFICATION)


@cache
def listed() -> dict[str, dict[str, Any]]:
    """What the command prints, by id."""
    done = CliRunner().invoke(app, ["list", "--json"])
    assert done.exit_code == 0
    return {row["id"]: row for row in json.loads(done.stdout)}


def as_text(row: dict[str, Any], column: str) -> str:
    """A field as the specification writes it."""
    level, _, what = column.partition("_")
    value = row["provenance"][level] if what == "provenance" and level in LEVELS else row[column]
    if column == "level_needs":
        return "; ".join(f"{name}: {flag}" for name, flag in value.items())
    return "" if value is None else str(value)


def same(found: str, specified: str) -> bool:
    try:
        return float(found) == float(specified)
    except ValueError:
        return found == specified


@pytest.mark.parametrize("name", sorted(listed()))
def test_every_field_is_as_specified(name: str) -> None:
    row, specified = listed()[name], SPECIFIED[name]
    wrong = {
        column: (as_text(row, column), text)
        for column, text in specified.items()
        if not same(as_text(row, column), text)
    }
    assert not wrong, f"found, specified: {wrong}"


def test_numbers_are_numbers_and_empty_fields_null() -> None:
    for name, row in listed().items():
        for column in (*LEVELS, "tier"):
            assert row[column] is None or isinstance(row[column], int | float), (name, column)
        assert "" not in row.values(), name


def test_all_that_is_specified_is_listed_and_nothing_else() -> None:
    assert list(listed()) == sorted(SPECIFIED)
    assert len(SPECIFIED) == 84


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("catalogue/indicators.csv", {"formula": "meaning"}),
        ("design/formulas.csv", {"rollup": "merge", "warmup": ""}),
        ("catalogue/provenance.csv", {level: f"{level}_provenance" for level in LEVELS}),
    ],
)
def test_the_copy_is_that_of_the_design(path: str, columns: dict[str, str]) -> None:
    if not (SHARED / path).exists():
        pytest.skip(f"{path} is not beside this tree")
    for name, row in table(SHARED / path).items():
        for column, text in row.items():
            ours = columns.get(column, column)
            assert not ours or SPECIFIED[name][ours] == text, (name, column)
