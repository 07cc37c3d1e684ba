"""Who is behind a reduction: (evaluation, reduction, cells) → rows of sensors, cases, counters, with weights.

The rows of several shards are joined; then every row gets a weight such that the sum of value times weight is
the reduction's value. Rows whose weight is 0 were seen and did not decide, as all but the greatest of
``highest``.

>>> rows = Rows.of("series", np.array([1, 2]), np.array([7, 7]), np.array([3.0, 5.0]))
>>> weights("average", rows).tolist(), weights("highest", rows).tolist()
([0.5, 0.5], [0.0, 1.0])
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indicators.evaluate import Evaluation
from indicators.expression import Apply, Const, Despike, Kind, Metric, Node, Reduce, walk
from indicators.expression_text import Names, formula_text
from indicators.layout import Universe
from indicators.plan import COUNTERS, metric_of, tested

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_NOBODY = -1
POINTS = frozenset({"clusters", "apart", "largest"})
"""Reductions that count groups of points: each point has an equal share."""


@dataclass(frozen=True)
class Rows:
    """N rows behind one reduction.

    ``kind`` is ``series`` (a value per sensor), ``readings`` (pooled: those of a sensor together), ``cases``,
    or ``points`` (flagged sensors and cases, 1 each). ``who`` int64[n] are sensor or case keys, -1 the
    engine's own counter of a cell; ``cell`` int64[n] cell codes; ``value`` float64[n]; ``size`` float64[n]
    what the row counts for (a weight, a divisor, a number of readings); ``case`` bool[n] if it is a case.
    ``terms`` are values on the way by formula text, float64[n]; ``silent`` counts known sensors without one.
    """

    kind: str
    who: Ints
    cell: Ints
    value: Floats
    size: Floats
    case: NDArray[np.bool_]
    terms: Mapping[str, Floats] = field(default_factory=dict)
    silent: int = 0

    @classmethod
    def of(cls, kind: str, who: Ints, cell: Ints, value: Floats, size: Floats | None = None) -> Self:
        """Rows that all count for 1 unless ``size`` says otherwise."""
        ones = np.ones(len(who)) if size is None else size
        return cls(kind, who, cell, value, ones, np.full(len(who), kind == "cases"))

    def __len__(self) -> int:
        return len(self.who)

    def only(self, keep: NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        terms = {text: term[keep] for text, term in self.terms.items()}
        columns = (self.who[keep], self.cell[keep], self.value[keep], self.size[keep], self.case[keep])
        return Rows(self.kind, *columns, terms, self.silent)

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """The rows of several shards, one after the other."""
        first = parts[0]
        who, cell, value, size, case = (
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("who", "cell", "value", "size", "case")
        )
        terms = {text: np.concatenate([p.terms[text] for p in parts]) for text in first.terms}
        return Rows(first.kind, who, cell, value, size, case, terms, sum(p.silent for p in parts))


def contributions(at: Evaluation, node: Reduce, columns: Ints, names: Names) -> Rows:
    """The rows of a reduction at an evaluation's only window end, in some columns of its layout.

    ``names`` are nodes that terms show by a name.
    """
    inside = np.zeros(at.layout.size, bool)
    inside[columns] = True
    if node.fn in POINTS:
        # Every argument is a set of points; what they have in common is who and where.
        alone = [contributions(at, Reduce("number", (arg,)), columns, {}) for arg in node.args]
        found = Rows.joined([replace(rows.only(rows.value == 1), terms={}) for rows in alone])
        return replace(found, kind="points", silent=0)
    kind = node.args[0].kind
    if kind is Kind.CASES:
        return _cases(at, node, inside, names)
    return _pooled(at, node, inside) if kind is Kind.READINGS else _series(at, node, inside, names)


# -- series ----------------------------------------------------------------------------------------------


def _series(at: Evaluation, node: Reduce, inside: NDArray[np.bool_], names: Names) -> Rows:
    codes = tuple(dict.fromkeys(n.code for n in walk(node) if isinstance(n, Metric | Despike)))
    universe = at.shard.universe(codes)
    cell = np.repeat(universe.cells, np.diff(universe.start, append=universe.size))
    column = at.layout.columns(cell)
    here = (column >= 0) & inside[column] & universe.known(at.ends)[0]

    def row(of: Node) -> Floats:
        return np.array(np.broadcast_to(at.series(of, codes, universe), (1, universe.size))[0], np.float64)

    args = [row(arg) for arg in node.args]
    known = here & ~np.logical_or.reduce([np.isnan(arg) for arg in args])
    terms = {_told(term, names): row(term) for term in _terms(node.args, Kind.SERIES)}
    size = args[1] if len(args) > 1 else np.ones(universe.size)
    no_case = np.zeros(universe.size, bool)
    whole = Rows(
        "series", _sensors(universe), at.shard.cells.code[cell], _truth(node, args[0]), size, no_case, terms
    )
    return replace(whole.only(known), silent=int((here & ~known).sum()))


def _sensors(universe: Universe) -> Ints:
    """The sensor of each row."""
    out = np.full(universe.size, _NOBODY)
    for store, where in zip(universe.stores, universe.position, strict=True):
        has = where >= 0
        out[has] = store.sensor[where[has]]
    return out


def _truth(node: Reduce, value: Floats) -> Floats:
    """Flags as 1 and 0; what is no flag as it is."""
    return np.where(np.isnan(value), np.nan, value == 1) if node.fn in {"share", "number"} else value


def _terms(nodes: Sequence[Node], kind: Kind) -> list[Node]:
    """The expressions below some nodes that have a value per row, outermost first, constants apart."""
    found: dict[Node, None] = {}
    for node in nodes:
        if node.kind is kind and not isinstance(node, Const):
            found[node] = None
        if isinstance(node, Apply):
            found |= dict.fromkeys(_terms(node.args, kind))
    return list(found)


def _told(node: Node, names: Names) -> str:
    return names.get(node) or formula_text(node, names)


# -- pooled readings -------------------------------------------------------------------------------------


def _pooled(at: Evaluation, node: Reduce, inside: NDArray[np.bool_]) -> Rows:
    code = metric_of(node.args[0])
    window = at.window(code)
    store, flag = window.store, tested(node)
    column = at.layout.columns(store.cell)
    here = (column >= 0) & inside[column]
    count = window.count[0].astype(np.float64)
    where = store.sensor, at.shard.cells.code[store.cell]
    if node.fn == "quantile":
        return _readings(at, code, here)
    if flag is not None:
        known = window.total(("known", flag))[0].astype(np.float64)
        true = window.total(("true", flag))[0].astype(np.float64)
        value = (
            true if node.fn == "number" else np.divide(true, known, where=known > 0, out=np.zeros(store.n))
        )
        return Rows.of("readings", *where, value, known).only(here & (known > 0))
    if node.fn in {"highest", "lowest"}:
        value = window.total("max" if node.fn == "highest" else "min")[0] / store.kind.scale
        return Rows.of("readings", *where, value, count).only(here & (count > 0))
    value = window.total("sum")[0] / store.kind.scale
    if node.fn == "average":
        value = np.divide(value, count, where=count > 0, out=np.zeros(store.n))
    found = Rows.of("readings", *where, value, count).only(here & (count > 0))
    return _with_counters(at, node, found, inside) if code in COUNTERS else found


def _readings(at: Evaluation, code: str, here: NDArray[np.bool_]) -> Rows:
    """One row for each reading of an order statistic."""
    window = at.window(code)
    packed, store = window.own, window.store
    found = Rows.of(
        "readings", store.sensor[packed.row], at.shard.cells.code[store.cell[packed.row]], packed.value
    )
    return found.only(here[packed.row])


def _with_counters(at: Evaluation, node: Reduce, found: Rows, inside: NDArray[np.bool_]) -> Rows:
    """The engine's own counts of readings stand beside those that sensors report (R10)."""
    counted = at.counted(COUNTERS[metric_of(node.args[0])])[0].astype(np.float64)
    cell = at.layout.code
    value = counted if node.fn == "total" else np.minimum(counted, 1)
    own = Rows.of("readings", np.full(len(cell), _NOBODY), cell, value, counted)
    return Rows.joined([found, own.only(inside & (counted > 0))])


# -- cases -----------------------------------------------------------------------------------------------


def _cases(at: Evaluation, node: Reduce, inside: NDArray[np.bool_], names: Names) -> Rows:
    t = int(at.ends[0])
    terms = _terms(node.args, Kind.CASES)
    found = {term: at.cases.values(term, t) for term in (node.args[0], *terms)}
    parts: list[Rows] = []
    for i, (part, value) in enumerate(found[node.args[0]]):
        numbers = np.flatnonzero(part.member)
        column = at.layout.columns(part.cells)
        own = Rows(
            "cases",
            part.at.cases.keys(numbers),
            at.shard.cells.code[part.cells],
            _truth(node, np.asarray(value, np.float64)),
            np.ones(len(numbers)),
            np.ones(len(numbers), bool),
            {_told(term, names): np.asarray(found[term][i][1], np.float64) for term in terms},
        )
        parts.append(own.only(inside[column] & ~np.isnan(own.value)))
    return Rows.joined(parts)


# -- weights ---------------------------------------------------------------------------------------------


def weights(fn: str, rows: Rows, q: float = 0.5, value: float = math.nan) -> Floats:
    """The weight of every row: float64[n]; the sum of value times weight is the reduction's value.

    ``q`` is that of a quantile, ``value`` the number of groups that points form.
    """
    n, size = len(rows), float(rows.size.sum())
    if fn in {"total", "number"}:
        return np.ones(n)
    if fn in POINTS:
        return np.full(n, value / n) if n else np.empty(0)
    if fn == "quantile":
        return _of_quantile(rows.value, q)
    out = np.zeros(n)
    if n and fn in {"highest", "lowest"}:
        out[np.argmin(rows.value) if fn == "lowest" else np.argmax(rows.value)] = 1.0
    elif size:
        out = np.full(n, 1 / size) if fn == "ratio" else rows.size / size
    return out


def _of_quantile(value: Floats, q: float) -> Floats:
    """The one or two values that the quantile rule takes (FORMULAS.md section 4.1)."""
    n = len(value)
    if not n:
        return np.empty(0)
    k = q * n
    whole = abs(k - round(k)) <= 1e-9 * max(1, n)
    upper = round(k) if whole else int(np.ceil(k))
    left, right = max(upper - 1, 0), min(upper if whole else upper - 1, n - 1)
    order = np.argsort(value, kind="stable")
    out = np.zeros(n)
    out[order[min(left, n - 1)]] += 0.5
    out[order[max(right, 0)]] += 0.5
    return out
