"""Every fault of a formula at once, where the compiler stops at the first.

An expression is judged once all that stands inside it is right; what is wrong inside hides only what depends
on it. So two misspelt names are two faults, and neither brings a third.

>>> found = check_formula("highest(max(wind_gusts)) + total(rain_1min)", Metrics.load())
>>> [f"{fault.column}: {fault.message[:24]}" for fault in found.faults]
["13: unknown name 'wind_gusts", "34: unknown name 'rain_1min'"]
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from indicators.arguments import FormulaArgumentError, Slot, assign, convert_one
from indicators.calls import Context
from indicators.compiler import Compiler, Formula, not_an_area, used
from indicators.expression import Node
from indicators.functions import FUNCTIONS
from indicators.metrics import Metrics
from indicators.signatures import Takes
from indicators.syntax import FormulaError, Program, Statement, parse
from indicators.typing_rules import accepts

_WRITTEN_OUT = frozenset(
    {
        Takes.NUMBER, Takes.POSITIVE, Takes.WHOLE, Takes.LAG, Takes.RANK, Takes.FRACTION, Takes.DURATION,
        Takes.NEED, Takes.CLOCK, Takes.NAME, Takes.EVENT, Takes.STATUS, Takes.POINT, Takes.WEIGHTS,
        Takes.PER_EVENT,
    }
)  # fmt: skip
"""What is no expression of its own, but read as it stands."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A formula and its faults; ``formula`` is None unless there are none.

    ``parts`` are the named parts that are right, ``broken`` the names of the others.
    """

    formula: Formula | None
    faults: tuple[FormulaError, ...]
    parts: Mapping[str, Node] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()


def check_formula(text: str, metrics: Metrics, window_ms: int | None = None) -> Checked:
    """A formula with all its faults, in the order of the text."""
    try:
        program = parse(text)
    except FormulaError as error:
        return Checked(None, (error,))
    check = _Check(program, Compiler(program, Context(metrics, window_ms), {}), set())
    value = check.run()
    if value is not None and not accepts(Takes.AREA, value):
        message = not_an_area("the formula's value", "number", value)
        check.faults.append(program.error(program.statements[-1].value, message))
    parts = check.compiler.parts
    formula = None
    if value is not None and not check.faults:
        formula = Formula(value, parts, *used((*parts.values(), value)), text)
    return Checked(formula, check.sorted(), parts, frozenset(check.broken))


def check_flag(text: str, beside: Checked, metrics: Metrics, window_ms: int | None = None) -> Checked:
    """A condition beside a formula with all its faults; it may use the formula's named parts.

    >>> formula = check_formula("n = number(present(last(bin_fill))); n", Metrics.load())
    >>> check_flag("n >= m", formula, Metrics.load()).faults[0].message
    "unknown name 'm'"
    """
    try:
        program = parse(text)
    except FormulaError as error:
        return Checked(None, (error,))
    compiler = Compiler(program, Context(metrics, window_ms), dict(beside.parts))
    check = _Check(program, compiler, set(beside.broken))
    flag = check.run()
    at = program.statements[-1].value
    if flag is not None and not accepts(Takes.AREA_FLAG, flag):
        check.faults.append(program.error(at, not_an_area("the condition", "flag", flag)))
    if flag is not None and beside.formula is not None:
        known = {*beside.formula.metrics, *beside.formula.events}
        strange = [code for codes in used((flag,)) for code in codes if code not in known]
        check.faults += [
            program.error(at, f"{code} is not in the formula; name a part there") for code in strange
        ]
    return Checked(None, check.sorted(), compiler.parts, frozenset(check.broken))


class _Check:
    """One walk over a program; ``broken`` are parts whose faults were told already."""

    def __init__(self, program: Program, compiler: Compiler, broken: set[str]) -> None:
        self.program = program
        self.compiler = compiler
        self.broken = broken
        self.faults: list[FormulaError] = []

    def sorted(self) -> tuple[FormulaError, ...]:
        return tuple(sorted(self.faults, key=lambda fault: (fault.line, fault.column)))

    def run(self) -> Node | None:
        """The node of the value, None where it has a fault."""
        *assignments, last = self.program.statements
        for statement in assignments:
            self.part(statement)
        return self.right(last.value)

    def part(self, statement: Statement) -> None:
        name = statement.name or ""
        node = self.right(statement.value)
        try:
            self.compiler.name(name, statement.at)
        except FormulaError as error:
            self.faults.append(error)
            return
        if node is None:
            self.broken.add(name)
        else:
            self.compiler.parts[name] = node
            self.compiler.sizes[name] = self.compiler.expanded

    def right(self, at: ast.expr) -> Node | None:
        """The node of an expression whose parts are right, None where anything is wrong."""
        if isinstance(at, ast.Call):
            inside = self.call(at)
        elif isinstance(at, ast.Name):
            inside = at.id not in self.broken
        else:
            inside = self.all_right(_operands(at))
        if not inside:
            return None
        return self.tried(at)

    def tried(self, at: ast.expr) -> Node | None:
        self.compiler.expanded = 0
        try:
            return self.compiler.node(at)
        except FormulaError as error:
            self.faults.append(error)
            return None

    def all_right(self, given: Iterable[ast.expr]) -> bool:
        # First all, then the verdict: a fault in one must not hide those of the next.
        found = [self.right(at) is not None for at in given]
        return all(found)

    # -- calls -----------------------------------------------------------------------------------------

    def call(self, at: ast.Call) -> bool:
        """Whether the arguments of a call are right, each by itself."""
        function = FUNCTIONS.get(at.func.id if isinstance(at.func, ast.Name) else "")
        given = [*at.args, *(keyword.value for keyword in at.keywords)]
        if function is None:
            self.tried(at)
            self.all_right(self.expressions(given))
            return False
        try:
            slots = assign(at, function)
        except FormulaArgumentError as error:
            self.faults.append(self.program.error(error.at, f"{function.name}: {error.message}"))
            self.all_right(self.expressions(given))
            return False
        found = [self.slot(slot, function.name) for slot in slots.values()]
        return all(found)

    def expressions(self, given: Sequence[ast.expr]) -> list[ast.expr]:
        """What of the arguments of a call that is not understood can be judged all the same."""
        events = self.compiler.context.metrics.event_index
        return [
            at
            for at in given
            if not isinstance(at, ast.Constant | ast.Tuple)
            and not (isinstance(at, ast.Name) and at.id in events)
        ]

    def slot(self, slot: Slot, function: str) -> bool:
        if slot.parameter.takes not in _WRITTEN_OUT:
            return self.all_right(slot.given)
        found = [self.literal(slot, given, function) for given in slot.given]
        return all(found)

    def literal(self, slot: Slot, given: ast.expr, function: str) -> bool:
        try:
            convert_one(slot.parameter, given, self.compiler.node, self.compiler.context.metrics)
        except FormulaArgumentError as error:
            self.faults.append(self.program.error(error.at, f"{function}: {error.message}"))
            return False
        except FormulaError as error:
            self.faults.append(error)
            return False
        return True


def _operands(at: ast.expr) -> list[ast.expr]:
    return [child for child in ast.iter_child_nodes(at) if isinstance(child, ast.expr)]
