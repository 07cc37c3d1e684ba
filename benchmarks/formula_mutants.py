"""Wrong versions of formulas: a text → texts with one number, operator, function, status or time changed.

Formulas are cut into tokens, so a mutant is the formula as it was written but for one place. Mutants that the
compiler refuses are no formulas at all and are left to the caller to find.

>>> [m.change for m in formula_mutants("highest(mean(pm25)) >= 35")][:2]
['highest → lowest', 'highest → average']
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from indicators.durations import milliseconds
from indicators.functions import STATUSES

OPERATORS: Mapping[str, tuple[str, ...]] = {
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "**": ("*",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "and": ("or",),
    "or": ("and",),
    "not": ("",),
}
"""What an operator is mistaken for: its neighbour at the border, and its opposite."""

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "count": ("sum",),
    "sum": ("mean", "max"),
    "mean": ("max", "min", "median"),
    "min": ("max", "mean"),
    "max": ("min", "mean"),
    "last": ("mean", "max"),
    "twm": ("mean", "last"),
    "leq": ("mean", "max"),
    "harmonic_mean": ("mean", "median"),
    "median": ("mean", "max"),
    "percentile": (),
    "slope": ("mean",),
    "total": ("average", "highest"),
    "average": ("total", "highest"),
    "highest": ("lowest", "average"),
    "lowest": ("highest", "average"),
    "number": ("total",),
    "open": ("entered",),
    "reached": ("ontime",),
    "ontime": ("reached",),
    "max_of": ("min_of", "sum_of"),
    "min_of": ("max_of", "sum_of"),
    "sum_of": ("max_of", "mean_of"),
    "mean_of": ("sum_of", "max_of"),
    "abs": (),
    "log10": ("abs",),
    "robust_z": ("zscore",),
    "peak": (),
}
"""Functions of the same shape, one of which is easily written for the other."""

_CLOCK = re.compile(r"'(\d\d):(\d\d)-(\d\d):(\d\d)'")
_DURATION = re.compile(r"'(\d+)(s|m|h|d)'")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong formula: its text, what was changed (``old → new``) and at which character."""

    text: str
    change: str
    at: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: int
    text: str
    start: int


def formula_mutants(text: str) -> Iterator[Mutant]:
    """Every mutant of a formula, in the order of the places changed.

    Args:
        text: a formula, named parts and all.

    >>> [m.text for m in formula_mutants("x - 1")]
    ['x + 1', 'x - 2', 'x - 0']
    """
    tokens = _tokens(text)
    padded = [None, *tokens, None]
    for before, token, after in zip(padded, tokens, padded[2:], strict=False):
        for new in _replacements(before, token, after):
            stop = token.start + len(token.text)
            changed = text[: token.start] + new + text[stop:]
            yield Mutant(changed, f"{token.text} → {new or '(nothing)'}", token.start)


def _tokens(text: str) -> list[_Token]:
    """The tokens of a text with their offsets; line breaks and the end are left out."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    # Within parentheses, lines may be indented as they like.
    wrapped = "(" + text.replace(";", ",") + "\n)"
    found = []
    for token in tokenize.generate_tokens(io.StringIO(wrapped).readline):
        row, column = token.start
        at = starts[min(row - 1, len(starts) - 1)] + column - (1 if row == 1 else 0)
        if token.string.strip() and 0 <= at < len(text):
            found.append(_Token(token.type, token.string, at))
    return found


def _replacements(before: _Token | None, token: _Token, after: _Token | None) -> Sequence[str]:
    if token.kind == tokenize.NUMBER:
        return _numbers(token.text)
    if token.kind == tokenize.STRING:
        return _texts(token.text)
    if token.text == "-" and not _is_operand(before):
        return ("",)
    if token.kind == tokenize.NAME and after is not None and after.text == "(" and token.text in FUNCTIONS:
        return FUNCTIONS[token.text]
    return OPERATORS.get(token.text, ())


def _is_operand(token: _Token | None) -> bool:
    """Whether a ``-`` after this token has something on its left."""
    if token is None:
        return False
    words = {"and", "or", "not", "if", "else"}
    return token.text == ")" or (token.kind in {tokenize.NAME, tokenize.NUMBER} and token.text not in words)


def _numbers(text: str) -> Sequence[str]:
    """A tenth more and less; small whole numbers one more and one less."""
    if "." in text or "e" in text:
        value = float(text)
        return tuple(f"{v:.12g}" for v in (value * 1.1, value * 0.9)) if value else ("1",)
    whole = int(text)
    step = max(1, whole // 10)
    return (str(whole + step), str(whole - step)) if whole else ("1",)


def _texts(text: str) -> Sequence[str]:
    """Twice and half a duration, a clock span an hour shorter on either side, the statuses beside one."""
    if _DURATION.fullmatch(text):
        seconds = milliseconds(text.strip("'")) // 1000
        return f"'{2 * seconds}s'", f"'{seconds // 2}s'"
    if match := _CLOCK.fullmatch(text):
        h1, m1, h2, m2 = match.groups()
        return (
            f"'{(int(h1) + 1) % 24:02d}:{m1}-{h2}:{m2}'",
            f"'{h1}:{m1}-{(int(h2) - 1) % 24:02d}:{m2}'",
        )
    status = text.strip("'")
    if status not in STATUSES:
        return ()
    i = STATUSES.index(status)
    near = [STATUSES[j] for j in (i - 1, i + 1) if 0 <= j < len(STATUSES)]
    return tuple(f"'{s}'" for s in near)


def numbered(mutants: Sequence[Mutant]) -> list[str]:
    """The changes, each with its place among equal ones of the same formula, as ``35 → 38 (2)``.

    >>> numbered([Mutant("", "1 → 2", 0), Mutant("", "1 → 2", 9), Mutant("", "1 → 0", 9)])
    ['1 → 2', '1 → 2 (2)', '1 → 0']
    """
    seen: dict[str, int] = {}
    names = []
    for mutant in mutants:
        seen[mutant.change] = count = seen.get(mutant.change, 0) + 1
        names.append(mutant.change if count == 1 else f"{mutant.change} ({count})")
    return names
