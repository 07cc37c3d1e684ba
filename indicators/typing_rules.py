"""What a formula's node is, and which nodes go together.

>>> describe(Aggregate("sum", Metric("rain_1m")))
'a Series number'
"""

from collections.abc import Sequence

from indicators.expression import (
    Aggregate,
    Apply,
    CaseSet,
    CaseValue,
    Clock,
    Const,
    Despike,
    Kind,
    Metric,
    Node,
    Setting,
    Union,
    children,
    walk,
)
from indicators.functions import FUNCTIONS
from indicators.signatures import Role, Takes

COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})

_FLAGS = COMPARISONS | {"and", "or", "not", "present"}
_READINGS_MAY = _FLAGS | {"only"}
_ARTICLES = {Kind.SCALAR: "a Scalar", Kind.SERIES: "a Series", Kind.AREA: "an Area"}


def role(node: Node) -> Role:
    """Whether a node holds numbers or flags, or is a set of cases.

    >>> role(Apply("lt", (Const(1.0), Const(2.0)))).value
    'flag'
    """
    match node:
        case CaseSet() | Union():
            return Role.SET
        case Aggregate() | CaseValue():
            return FUNCTIONS[node.fn].role or Role.NUMBER
        case Apply(fn="if" | "only"):
            return role(node.args[1 if node.fn == "if" else 0])
        case _:
            flag = isinstance(node, Clock) or (isinstance(node, Apply) and node.fn in _FLAGS)
            return Role.FLAG if flag else Role.NUMBER


def describe(node: Node) -> str:
    """What a node is, in the words of an error message.

    >>> describe(Metric("rain_1m"))
    'the readings of rain_1m'
    """
    what = role(node)
    match node:
        case CaseSet() | Union():
            return "a set of cases"
        case Metric() | Despike():
            return f"the readings of {node.code}"
        case Const():
            return f"the number {node.value:g}"
        case _ if node.kind is Kind.READINGS:
            return "a flag per reading" if what is Role.FLAG else "chosen readings"
        case _ if node.kind is Kind.CASES:
            return f"a {what.value} per case"
        case _:
            return f"{_ARTICLES[node.kind]} {what.value}"


def accepts(takes: Takes, node: Node) -> bool:
    """Whether a node may stand where ``takes`` is asked for; False for what is written out as a literal.

    >>> accepts(Takes.ROWS, Metric("rain_1m")), accepts(Takes.AREA, Metric("rain_1m"))
    (True, False)
    """
    kind, what = node.kind, role(node)
    number, flag = what is Role.NUMBER, what is Role.FLAG
    bare = isinstance(node, Metric)
    rows = kind in {Kind.SERIES, Kind.CASES}
    raw = kind is Kind.READINGS
    rules = {
        Takes.METRIC: bare,
        Takes.READINGS: bare or isinstance(node, Despike),
        Takes.COUNTED: bare or (raw and flag),
        Takes.ROWS: bare or (rows and number),
        Takes.PAIRED: rows and number,
        Takes.ROW_FLAG: (rows or raw) and flag,
        Takes.COUNTABLE: ((rows or raw) and flag) or what is Role.SET,
        Takes.CASES: what is Role.SET,
        Takes.POINTS: what is Role.SET or (kind is Kind.SERIES and flag),
        Takes.SERIES: kind is Kind.SERIES and number,
        Takes.SERIES_FLAG: kind is Kind.SERIES and flag,
        Takes.AREA: kind is Kind.AREA and number,
        Takes.AREA_FLAG: kind is Kind.AREA and flag,
        Takes.LIMIT: kind in {Kind.SCALAR, Kind.SERIES} and number,
        Takes.VALUE: number and not raw,
        Takes.TERM: (number or flag) and not raw,
        Takes.ANY: (number or flag) and not isinstance(node, Despike),
        Takes.FLAG: flag,
    }
    return rules.get(takes, False)


def widest(nodes: Sequence[Node]) -> Kind:
    """The kind of an elementwise result.

    >>> widest((Const(1.0), Aggregate("mean", Metric("pm25")))).name
    'SERIES'
    """
    return max((node.kind for node in nodes), default=Kind.SCALAR)


def mismatch(fn: str, args: Sequence[Node]) -> str | None:
    """Why the arguments of an elementwise operation do not go together, None if they do.

    >>> mismatch("add", (Const(1.0), Metric("pm25")))
    'arithmetic on the readings of pm25; aggregate first, as in mean(pm25)'
    """
    kinds = {a.kind for a in args} - {Kind.SCALAR}
    if any(role(a) is Role.SET for a in args):
        return "a set of cases is not a value; use number(...), or a case value such as reached(...)"
    if Kind.READINGS in kinds:
        return _readings_mismatch(fn, args, kinds)
    if len(kinds) > 1:
        return _kinds_mismatch(args, kinds)
    if Kind.CASES in kinds and len({selection(a) for a in args if a.kind is Kind.CASES}) > 1:
        return "values of different sets of cases; name one set, as in c = due(...), and use it for both"
    return None


def _kinds_mismatch(args: Sequence[Node], kinds: set[Kind]) -> str:
    if kinds == {Kind.SERIES, Kind.AREA}:
        return "a Series and an Area value; an area value cannot go back into series, reduce the series first"
    first = next(a for a in args if a.kind is not Kind.SCALAR)
    second = next(a for a in args if a.kind not in {Kind.SCALAR, first.kind})
    return f"{describe(first)} and {describe(second)} do not go together; reduce both to the area first"


def _readings_mismatch(fn: str, args: Sequence[Node], kinds: set[Kind]) -> str | None:
    names = " and ".join(sorted({n.code for a in args for n in walk(a) if isinstance(n, Metric | Despike)}))
    literals = all(isinstance(a, Const | Metric) for a in args)
    faults = (
        (any(isinstance(a, Despike) for a in args), "despike(...) stands only inside an aggregate"),
        (len(kinds) > 1, f"readings of {names} beside {_others(args)}; aggregate the readings first"),
        (
            fn not in _READINGS_MAY,
            f"arithmetic on the readings of {names}; aggregate first, as in mean({names})",
        ),
        (" and " in names, f"readings of {names}; a comparison is of one metric, aggregate first"),
        (
            fn in COMPARISONS and not literals,
            "readings are compared with numbers written out; aggregate first",
        ),
        (any(isinstance(a, Setting | Clock) for a in args), f"readings of {names} go alone; aggregate first"),
    )
    return next((message for wrong, message in faults if wrong), None)


def _others(args: Sequence[Node]) -> str:
    return ", ".join(describe(a) for a in args if a.kind not in {Kind.SCALAR, Kind.READINGS})


def selection(node: Node) -> Node | None:
    """The set of cases that a value per case is of; None for a node that is not of cases.

    >>> c = CaseSet("open", ("ev_gas_leak",))
    >>> selection(Apply("neg", (CaseValue("severity", c),), Kind.CASES)) == c
    True
    """
    while node.kind is Kind.CASES:
        if isinstance(node, CaseSet | Union):
            return node
        node = next(child for child in children(node) if child.kind is Kind.CASES)
    return None
