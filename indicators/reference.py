"""The reference of the formula language as Markdown, written from the function table.

>>> markdown().splitlines()[0]
'# The formula language · 公式语言'
"""

from pathlib import Path

from indicators.examples import example
from indicators.expression import Kind
from indicators.functions import FUNCTIONS, SECTIONS
from indicators.signatures import Function, Role

_HEAD = Path(__file__).parent / "data" / "formulas_head.md"

_COLUMNS = "| function | gives | cost | meaning · 含义 | example, records, result |\n|---|---|---|---|---|"

_KINDS = {
    Kind.SCALAR: "Scalar",
    Kind.READINGS: "Readings",
    Kind.SERIES: "Series",
    Kind.CASES: "Cases",
    Kind.AREA: "Area",
    None: "as given",
}
_ROLES = {Role.FLAG: " flag", Role.SET: " (set)", Role.NUMBER: "", None: ""}


def markdown() -> str:
    """The whole page ``docs/formulas.md``: the language, then one table per section.

    >>> "| `quantile(x, q)` |" in markdown()
    True
    """
    parts = [_HEAD.read_text(encoding="utf-8").rstrip()]
    for section, (en, zh) in SECTIONS.items():
        rows = [_row(f) for f in FUNCTIONS.values() if f.section == section]
        parts.append("\n".join([f"### {en} · {zh}", "", _COLUMNS, *rows]))
    return "\n\n".join(parts) + "\n"


def _example(f: Function) -> str:
    """The example with its records and what it gives, computed."""
    found = example(f.name)
    lines = [f"`{f.example}`", *(f"`{line}`" for line in found.records)]
    return "<br>".join([*lines, f"→ **{found.result}**"] if found.result else lines[:1])


def _row(f: Function) -> str:
    cells = (
        f"`{f.signature}`",
        _KINDS[f.gives] + _ROLES[f.role],
        f.cost.replace("-", "–"),
        f"{f.en} · {f.zh}",
        _example(f),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
