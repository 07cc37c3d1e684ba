"""A call of the formula language to its node: one builder per group of the function table.

>>> build("total", {"x": Metric("ds_records_due")}, Context(Metrics.load()))
Reduce(fn='total', args=(Metric(code='ds_records_due'),), params=())
"""

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from indicators import durations
from indicators.arguments import Argument
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
    Reduce,
    Setting,
    Union,
    walk,
)
from indicators.functions import FUNCTIONS
from indicators.metrics import Metrics
from indicators.typing_rules import mismatch, widest

KEPT = 512
"""Readings a formula may keep per series and window (R3)."""

_KEEPING = frozenset(
    {"twm", "observed", "time_outside", "leq", "harmonic_mean", "median", "percentile", "slope"}
)
_NOT_IN_HISTORY = frozenset(
    {"median", "percentile", "slope", "leq", "harmonic_mean", "time_outside", "lowest_mean"}
)
_FINAL_STATUSES = frozenset({"reported", "accepted", "rejected", "closed"})
_HISTORY = frozenset(name for name, f in FUNCTIONS.items() if f.section == "history")
_NONE = Const(math.nan)

Arguments = Mapping[str, Argument]
"""Parameter name -> node, literal or tuple; None or () where it was left out."""


class CallError(Exception):
    """A call whose arguments do not go together; the compiler adds the place."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a call is checked against: the metrics, and the indicator's window in ms if it is known."""

    metrics: Metrics
    window_ms: int | None = None


def build(name: str, args: Arguments, context: Context) -> Node:
    """The node of a call of function ``name`` with converted arguments.

    Raises:
        CallError: the arguments do not go together.
    """
    own = _BUILDERS.get(name)
    if own is not None:
        return own(name, args, context)
    return _GROUPS[FUNCTIONS[name].section](name, args, context)


def elementwise(fn: str, args: tuple[Node, ...], params: tuple[float, ...] = ()) -> Apply:
    """An elementwise node of the widest kind of its arguments.

    Raises:
        CallError: the kinds do not go together.

    >>> elementwise("abs", (Const(-1.0),)).kind.name
    'SCALAR'
    """
    problem = mismatch(fn, args)
    if problem:
        raise CallError(problem)
    return Apply(fn, args, widest(args), params)


def _aggregate(name: str, args: Arguments, context: Context) -> Node:
    need = args.get("need")
    node = Aggregate(
        name,
        args["m"],
        window=args.get("window"),
        offset=args.get("offset") or 0,
        need=need if isinstance(need, float) else None,
        need_ms=need if isinstance(need, int) else None,
        cover=args.get("cover"),
        params=_aggregate_params(name, args),
    )
    _check_period(node, context)
    _check_kept(node, context)
    return node


def _aggregate_params(name: str, args: Arguments) -> tuple[Node, ...]:
    match name:
        case "percentile":
            return (Const(args["p"]),)
        case "time_outside":
            return args["lo"], args["hi"]
        case "slope":
            return Const(float(args["per"])), Const(float(args["step"] or math.nan))
        case "lowest_mean":
            begin, end = args["between"]
            return Const(float(begin)), Const(float(end))
        case _:
            return ()


def _codes(node: Node) -> list[str]:
    return [n.code for n in walk(node) if isinstance(n, Metric | Despike)]


def _check_period(node: Aggregate, context: Context) -> None:
    code = _codes(node.source)[0]
    if context.metrics[code].period_ms > 0:
        return
    for needs, what in (
        (FUNCTIONS[node.fn].holds, f"{node.fn}(...)"),
        (isinstance(node.source, Despike), "despike(...)"),
        (node.need_ms is not None, "need= as a duration"),
        (node.cover is not None, "cover="),
    ):
        if needs:
            raise CallError(
                f"{what} needs a sampling period, and {code} comes at irregular times;"
                " use count, sum, mean, min, max, median or percentile"
            )


def _check_kept(node: Aggregate, context: Context) -> None:
    stepped = node.fn == "slope" and not math.isnan(_step(node))
    keeps = (node.fn in _KEEPING and not stepped) or isinstance(node.source, Despike)
    window = node.window or context.window_ms
    if keeps and window is not None:
        _limit_kept(_codes(node.source)[0], window, context)


def _step(node: Aggregate) -> float:
    step = node.params[1]
    return step.value if isinstance(step, Const) else math.nan


def _limit_kept(code: str, window: int, context: Context) -> None:
    period = context.metrics[code].period_ms
    if period and window // period > KEPT:
        raise CallError(
            f"{window // period} readings of {code} per series would be kept in {durations.text(window)};"
            f" at most {KEPT}, shorten the window or use count, sum, mean, min or max"
        )


def _despike(_: str, args: Arguments, __: Context) -> Node:
    return Despike(args["m"].code, args["factor"])


def _reduce(name: str, args: Arguments, context: Context) -> Node:
    nodes = tuple(v for v in args.values() if v is not None and not isinstance(v, float | int | tuple))
    if len(nodes) > 1:
        problem = mismatch(name, nodes)
        if problem:
            raise CallError(problem)
    params = (args["q"],) if name == "quantile" else ()
    if name == "quantile" and isinstance(nodes[0], Metric) and context.window_ms is not None:
        _limit_kept(nodes[0].code, context.window_ms, context)
    return Reduce(name, nodes, params)


def _clusters(name: str, args: Arguments, _: Context) -> Node:
    radius = math.nan if args["radius"] is None else args["radius"]
    return Reduce(name, args["p"], (radius, float(args["within"])))


def _apart(name: str, args: Arguments, _: Context) -> Node:
    return Reduce(name, (args["c"], args["f"]), (args["radius"],))


def _case_set(name: str, args: Arguments, context: Context) -> Node:
    node = CaseSet(
        name,
        args["event"],
        args.get("status", ()) or (),
        window=args.get("window"),
        without=args.get("without"),
        since=args.get("since"),
        before=args.get("before"),
        within=args.get("within"),
    )
    if node.since is not None and node.within is None:
        for event in node.events:
            if context.metrics[event].sla_ms < 0:
                hint = "; give within=" if name == "due" else ""
                raise CallError(f"{name}(..., since=) needs a deadline, and {event} has none{hint}")
    return node


def _case_value(name: str, args: Arguments, _: Context) -> Node:
    cases = args["c"]
    if name in {"ontime", "overdue"} and not _has_deadline(cases):
        raise CallError(f"{name}(...) needs deadlines; take the cases from due(...) or open(..., since=)")
    keys = ("a", "b") if name == "took" else ("status",)
    statuses = tuple(args[key] for key in keys if key in args)
    if name == "in_order":
        statuses = args["status"]
    return CaseValue(name, cases, statuses, args.get("numbers", ()))


def _has_deadline(cases: Node) -> bool:
    if isinstance(cases, Union):
        return all(_has_deadline(c) for c in cases.sets)
    return isinstance(cases, CaseSet) and cases.since is not None


def _plain(name: str, args: Arguments, _: Context) -> Node:
    """A function whose parameters are its arguments in the table's order, missing ones NaN."""
    nodes: list[Node] = []
    for value in args.values():
        nodes.extend(value if isinstance(value, tuple) else (_NONE if value is None else value,))
    if all(node is _NONE for node in nodes):
        raise CallError(f"{name}(...) has no argument; give one at least, as in {FUNCTIONS[name].example}")
    return elementwise(name, tuple(nodes))


def _clip(name: str, args: Arguments, _: Context) -> Node:
    lo, hi = args["lo"], args["hi"]
    if lo is None and hi is None:
        raise CallError("clip(...) has no bound; give lo, hi or both")
    if isinstance(lo, Const) and isinstance(hi, Const) and lo.value > hi.value:
        raise CallError(f"clip(...) has lo {lo.value:g} above hi {hi.value:g}; exchange them")
    node: Node = elementwise(name, (args["x"], lo or _NONE, hi or _NONE))
    for bound in (lo, hi):
        if bound is not None and bound.kind is not Kind.SCALAR:
            # The body takes NaN for "no bound"; an unknown bound must make the value unknown instead.
            node = elementwise("only", (node, elementwise("present", (bound,))))
    return node


def _piecewise(name: str, args: Arguments, _: Context) -> Node:
    points = args["point"]
    fixed = [x.value for x, _y in points if isinstance(x, Const)]
    if any(a >= b for a, b in itertools.pairwise(fixed)):
        raise CallError(f"the points of piecewise(...) must rise; found {', '.join(f'{x:g}' for x in fixed)}")
    return elementwise(name, (args["x"], *itertools.chain.from_iterable(points)))


def _mean_of(name: str, args: Arguments, _: Context) -> Node:
    values, weights = args["x"], args["weights"] or ()
    if weights and len(weights) != len(values):
        raise CallError(f"mean_of(...) has {len(values)} values and {len(weights)} weights; give one each")
    if weights and not any(weights):
        raise CallError("the weights of mean_of(...) are all 0; give one above 0")
    return elementwise(name, values, weights)


def _clock(_: str, args: Arguments, __: Context) -> Node:
    return Clock(*args["span"])


def _setting(_: str, args: Arguments, __: Context) -> Node:
    return Setting(args["name"], args["default"])


def _history(name: str, args: Arguments, context: Context) -> Node:
    first, *rest = args.values()
    if name == "peak" and context.window_ms is not None and context.window_ms % args["step"]:
        window, step = durations.text(context.window_ms), durations.text(args["step"])
        raise CallError(f"the step of peak(...) must divide the window; {step} does not divide {window}")
    _check_history(name, first)
    params = tuple(math.nan if v is None else float(v) for v in rest)
    return Apply(name, (first,), FUNCTIONS[name].gives or first.kind, params)


def _check_history(name: str, node: Node) -> None:
    """What lies in the past is evaluated again from what slices keep, so only that may stand inside."""
    for inner in walk(node):
        match inner:
            case Aggregate(fn=fn) if fn in _NOT_IN_HISTORY:
                found = f"{fn}(...)"
            case Despike():
                found = "despike(...)"
            case CaseSet(fn="entered", statuses=statuses) if not set(statuses) <= _FINAL_STATUSES:
                found = f"entered(...) of {min(set(statuses) - _FINAL_STATUSES)!r}, which may repeat,"
            case CaseSet(fn="open" | "due" as fn) | CaseValue(fn=fn):
                found = f"{fn}(...)"
            case Reduce(fn="clusters" | "apart" | "largest" as fn):
                found = f"{fn}(...)"
            case Reduce(fn="quantile", args=(Metric(),)):
                found = "quantile(...) of readings"
            case Apply(fn=fn) if fn in _HISTORY:
                found = f"{fn}(...)"
            case _:
                continue
        raise CallError(f"{found} cannot stand inside {name}(...): slices do not keep it for the past")


_Builder = Callable[[str, Arguments, Context], Node]

_BUILDERS: Mapping[str, _Builder] = {
    "despike": _despike,
    "clusters": _clusters,
    "apart": _apart,
    "entered": _case_set,
    "open": _case_set,
    "due": _case_set,
    "clip": _clip,
    "piecewise": _piecewise,
    "mean_of": _mean_of,
    "clock": _clock,
    "setting": _setting,
}

_GROUPS: Mapping[str, _Builder] = {
    "series": _aggregate,
    "area": _reduce,
    "cases": _case_value,
    "elementwise": _plain,
    "history": _history,
}
