"""Formula text to a whitelisted Python syntax tree; nothing is ever executed.

A formula is an expression, preceded by named parts if wanted: ``a = total(x); a / 2``.

>>> [s.name for s in parse("a = 1; a + 1").statements]
['a', None]
>>> try:
...     parse("total.__class__")
... except FormulaError as error:
...     print(error)
line 1, column 1: an attribute ('a.b') is not part of the formula language; see docs/formulas.md
"""

import ast
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

MAX_CHARACTERS = 2_000
MAX_NODES = 400
MAX_DEPTH = 30

_STATEMENTS = (ast.Assign, ast.Expr)
_EXPRESSIONS = (
    ast.Name,
    ast.Constant,
    ast.UnaryOp,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Call,
    ast.Tuple,
)
_OPERATORS = (
    ast.USub,
    ast.Not,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Pow,
    ast.BitOr,
    ast.And,
    ast.Or,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
    ast.Load,
    ast.Store,
)
_ALLOWED = _EXPRESSIONS + _OPERATORS + (ast.keyword,)

_NAMES: dict[type[ast.AST], str] = {
    ast.Attribute: "an attribute ('a.b')",
    ast.Subscript: "a subscript ('a[b]')",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Starred: "an argument with '*'",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment inside an expression (':=')",
    ast.List: "a list",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.FloorDiv: "the operator '//'",
    ast.Mod: "the operator '%'",
    ast.MatMult: "the operator '@'",
    ast.BitAnd: "the operator '&' (write 'and')",
    ast.BitXor: "the operator '^' (a power is '**')",
    ast.Invert: "the operator '~' (write 'not')",
    ast.UAdd: "a sign '+'",
    ast.Is: "'is' (write '==')",
    ast.In: "'in'",
}


class FormulaError(ValueError):
    """A formula that cannot be used: where, and what to do about it.

    Attributes:
        line: from 1.
        column: from 1, in characters.
        message: what is wrong, what was found, what to do.
    """

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Statement:
    """A named part, or the value (``name`` is None)."""

    name: str | None
    value: ast.expr
    at: ast.stmt


@dataclass(frozen=True, slots=True)
class Program:
    """A formula's statements and the text they stand in."""

    text: str
    indent: int
    statements: tuple[Statement, ...]

    def error(self, at: ast.AST, message: str) -> FormulaError:
        """The error to raise for a node of this program.

        >>> program = parse("总 = 1; 总 + x")
        >>> program.error(program.statements[1].value.right, "what is x?").column
        12
        """
        return _error(self.text, self.indent, at, message)


def parse(text: str) -> Program:
    """The statements of a formula: named parts, then exactly one value.

    Raises:
        FormulaError: not Python expression syntax, a construct that is not allowed, or beyond the limits.

    >>> len(parse("1 + 1").statements)
    1
    """
    if len(text) > MAX_CHARACTERS:
        raise FormulaError(
            f"the formula has {len(text)} characters; at most {MAX_CHARACTERS} are allowed, shorten it"
        )
    flush = textwrap.dedent(text)
    indent = _lead(text) - _lead(flush)
    tree = _tree(flush, indent)
    for node, depth, count in _walk(tree):
        _allow(flush, indent, node, depth, count)
    statements = tuple(_statement(flush, indent, node) for node in tree.body)
    _check_order(flush, indent, statements)
    return Program(flush, indent, statements)


def _lead(text: str) -> int:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return len(first) - len(first.lstrip())


def _tree(text: str, indent: int) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        line, column = error.lineno or 1, (error.offset or 1) + indent
        raise FormulaError(f"{error.msg}; a formula is a Python expression", line, column) from None
    except (MemoryError, RecursionError):
        raise FormulaError(f"nested too deeply; at most {MAX_DEPTH} levels, name the parts") from None
    except ValueError as error:
        raise FormulaError(f"{error}; a formula is plain text") from None


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, int, int]]:
    """Every node below the statements with its depth and how many expressions came so far."""
    count = 0
    stack: list[tuple[ast.AST, int]] = [(statement, 0) for statement in reversed(tree.body)]
    while stack:
        node, depth = stack.pop()
        count += isinstance(node, ast.expr)
        yield node, depth, count
        below = [(child, depth + isinstance(child, ast.expr)) for child in ast.iter_child_nodes(node)]
        stack.extend(reversed(below))


def _allow(text: str, indent: int, node: ast.AST, depth: int, count: int) -> None:
    if depth == 0 and isinstance(node, _STATEMENTS):
        return
    if not isinstance(node, _ALLOWED):
        name = _NAMES.get(type(node), f"'{type(node).__name__}'")
        at = node if hasattr(node, "lineno") else None
        raise _error(text, indent, at, f"{name} is not part of the formula language; see docs/formulas.md")
    if count > MAX_NODES:
        raise _error(text, indent, node, f"more than {MAX_NODES} terms; split the indicator")
    if depth > MAX_DEPTH:
        raise _error(text, indent, node, f"nested deeper than {MAX_DEPTH} levels; name the parts")
    if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
        raise _error(text, indent, node, "only a function can be called, by its name")
    if isinstance(node, ast.keyword) and node.arg is None:
        raise _error(text, indent, node, "'**' arguments are not allowed; write the arguments out")
    if isinstance(node, ast.Constant) and type(node.value) not in {int, float, str}:
        raise _error(text, indent, node, f"{node.value!r} is not allowed; write a number or a text")


def _statement(text: str, indent: int, node: ast.stmt) -> Statement:
    if isinstance(node, ast.Expr):
        return Statement(None, node.value, node)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return Statement(node.targets[0].id, node.value, node)
    raise _error(text, indent, node, "a named part is written 'name = expression', one name at a time")


def _check_order(text: str, indent: int, statements: tuple[Statement, ...]) -> None:
    if not statements:
        raise FormulaError("the formula is empty; write an expression")
    last = statements[-1]
    if last.name is not None:
        raise _error(text, indent, last.at, f"the last statement names {last.name!r}; end with the value")
    for statement in statements[:-1]:
        if statement.name is None:
            raise _error(text, indent, statement.at, "a value before the end; name it or leave it out")


def _error(text: str, indent: int, at: ast.AST | None, message: str) -> FormulaError:
    line, offset = getattr(at, "lineno", 1), getattr(at, "col_offset", 0)
    before = text.splitlines()[line - 1].encode()[:offset].decode() if text else ""
    return FormulaError(message, line, len(before) + 1 + indent)
