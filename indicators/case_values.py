"""Reductions over cases: (case expression, window ends) -> partials per cell (FORMULAS.md section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.cases import FOREVER, CasesAt
from indicators.elementwise import apply
from indicators.expression import Apply, CaseSet, CaseValue, Node, Reduce, Union, walk
from indicators.layout import Layout
from indicators.partials import Partial
from indicators.plan import IndicatorPlan
from indicators.points import NOWHERE
from indicators.shard import Shard
from indicators.slices import Ints

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Selected:
    """The members of a set among the cases of one event type at one instant.

    ``time`` is that of the first transition that makes a case a member.
    """

    event: str
    at: CasesAt
    member: Flags
    deadline: Ints | None
    time: Ints

    def united(self, other: Selected) -> Selected:
        """Members of either; a member of both keeps its deadline here."""
        deadline = self.deadline
        if deadline is not None and other.deadline is not None:
            deadline = np.where(self.member, deadline, other.deadline)
        time = np.minimum(self.time, other.time)
        return Selected(self.event, self.at, self.member | other.member, deadline, time)

    @property
    def cells(self) -> Ints:
        """The members' cells."""
        return self.at.cases.cell[: self.at.cases.n][self.member]


class CaseEvaluation:
    """Case expressions of one indicator at all window ends of one call."""

    def __init__(self, shard: Shard, plan: IndicatorPlan, ends: Ints, layout: Layout, window: int) -> None:
        """Nothing is computed before it is asked for; ``window`` is that of sets without their own, ms."""
        self.window = window
        self.plan = plan
        self.shard = shard
        self.ends = ends
        self.layout = layout
        self._views: dict[tuple[str, int], CasesAt] = {}
        self._sets: dict[tuple[Node, int], tuple[Selected, ...]] = {}

    def view(self, event: str, t: int) -> CasesAt:
        """The cases of a type at an instant, made once."""
        if (event, t) not in self._views:
            self._views[event, t] = self.shard.type_cases(event).at(t)
        return self._views[event, t]

    def members(self, node: Node, t: int) -> tuple[Selected, ...]:
        """The members of a set of cases at an instant, found once."""
        if (node, t) not in self._sets:
            self._sets[node, t] = self._members(node, t)
        return self._sets[node, t]

    def _members(self, node: Node, t: int) -> tuple[Selected, ...]:
        if isinstance(node, CaseSet):
            return tuple(self._select(node, event, t) for event in node.events)
        if isinstance(node, Union):
            merged: dict[str, Selected] = {}
            for part in (s for below in node.sets for s in self.members(below, t)):
                old = merged.get(part.event)
                merged[part.event] = part if old is None else old.united(part)
            return tuple(merged.values())
        raise TypeError(f"{type(node).__name__} is no set of cases")

    def _select(self, node: CaseSet, event: str, t: int) -> Selected:
        at = self.view(event, t)
        here = self.layout.columns(np.maximum(at.cases.cell[: at.cases.n], 0)) >= 0
        window = node.window or self.window
        deadline: Ints | None = None
        time = at.first_entered(node.statuses, window) if node.fn == "entered" else at.reported()
        if node.fn == "entered":
            member = (time != FOREVER) & at.visible()
            if node.without:
                member &= at.first(node.without) == FOREVER
        elif node.fn == "due":
            deadline = at.deadline(node.since or "reported", node.within)
            member = (deadline > t - window) & (deadline <= t)
            member &= (at.first("rejected") == FOREVER) & at.visible()
        else:
            member = (at.reported() <= t) & (at.first("closed") == FOREVER)
            member &= (at.first("rejected") == FOREVER) & at.visible()
            if node.before:
                member &= at.first(node.before) == FOREVER
            if node.since:
                begin = at.first(node.since)
                member &= (begin > t - window) & (begin <= t)
                deadline = at.deadline(node.since, None)
        return Selected(event, at, member & here, deadline, time)

    def values(self, node: Node, t: int) -> list[tuple[Selected, Floats]]:
        """A case expression at one instant: a value per member, per event type."""
        return [(part, self._value(node, part)) for part in self.members(selection(node), t)]

    def _value(self, node: Node, part: Selected) -> Floats:
        if isinstance(node, (CaseSet, Union)):
            return np.ones(int(part.member.sum()))
        if isinstance(node, CaseValue):
            return _CASE_VALUES[node.fn](node, part)[part.member]
        if isinstance(node, Apply):
            args = [self._value(a, part) for a in node.args]
            out = apply(node.fn, args, node.params)
            return np.broadcast_to(out, (int(part.member.sum()),))
        return np.full(int(part.member.sum()), float(getattr(node, "value", np.nan)))

    def reduce(self, node: Reduce) -> Partial:
        """One reduction over cases, in the layout's columns."""
        if node.fn == "number" and (count := self._entered(node.args[0])) is not None:
            return Partial("number", ("add", "add"), (count, count), zero=True)
        rows, values = [], []
        for i, t in enumerate(self.ends.tolist()):
            for part, value in self.values(node.args[0], t):
                rows.append(self.layout.columns(part.cells) + i * self.layout.size)
                values.append(value)
        row = np.concatenate([*rows, np.empty(0, np.int64)])
        value = np.concatenate([*values, np.empty(0)])
        known = ~np.isnan(value)
        return self._partial(node, row[known], value[known])

    def _entered(self, node: Node) -> Ints | None:
        """The size of a set of cases that entered a status, int64[ends, cells]; None for other sets."""
        if not isinstance(node, CaseSet) or node.fn != "entered" or node.without:
            return None
        out = np.zeros((len(self.ends), self.layout.size), np.int64)
        for event in node.events:
            cases = self.shard.type_cases(event)
            end, number = cases.entered(node.statuses, self.ends, node.window or self.window)
            column = self.layout.columns(cases.cell[number])
            inside = column >= 0
            np.add.at(out, (end[inside], column[inside]), 1)
        return out

    def _partial(self, node: Reduce, row: Ints, value: Floats) -> Partial:
        shape = (len(self.ends), self.layout.size)
        count = np.bincount(row, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
        if node.fn in {"number", "share"}:
            true = np.bincount(row, value == 1, minlength=count.size).reshape(shape).astype(np.int64)
            columns = (count, true) if node.fn == "number" else (count, count, true)
            return Partial(node.fn, ("add",) * len(columns), columns, zero=node.fn == "number")
        if node.fn in {"total", "average"}:
            order = np.lexsort((value, row))
            total = np.bincount(row[order], value[order], minlength=count.size).reshape(shape)
            return Partial(node.fn, ("add", "add"), (count, total), zero=node.fn == "total")
        if node.fn == "quantile":
            return Partial(node.fn, ("add",), (count,), q=node.params[0], row=row, value=value)
        op, ufunc = ("max", np.maximum) if node.fn == "highest" else ("min", np.minimum)
        out = np.full(count.size, -np.inf if op == "max" else np.inf)
        ufunc.at(out, row, value)
        return Partial(node.fn, (op,), (out.reshape(shape),))

    def points(self, node: Node) -> tuple[Ints, Floats]:
        """Row (end * size + column) and, per member of a set, position, time, channel and a 1."""
        rows, values = [np.empty(0, np.int64)], [np.empty((0, 5))]
        for i, t in enumerate(self.ends.tolist()):
            for part in self.members(node, t):
                number = np.flatnonzero(part.member)
                lon, lat, channel, heard = part.at.cases.places_of(number).T
                unknown = lon == NOWHERE
                if unknown.any():
                    lon, lat = lon.copy(), lat.copy()
                    lon[unknown], lat[unknown] = self.shard.cells.centres(part.cells[unknown])
                time, channel = part.time[number], np.where(heard <= t, channel, 0)
                rows.append(self.layout.columns(part.cells) + i * self.layout.size)
                values.append(np.stack((lon, lat, time, channel, np.ones(len(number))), axis=1))
        return np.concatenate(rows), np.concatenate(values)

    def counted(self) -> Ints:
        """Cases in the indicator's sets: int64[ends, cells]."""
        out = np.zeros((len(self.ends), self.layout.size), np.int64)
        for node in self.plan.case_sets:
            count = self._entered(node)
            if count is not None:
                out += count
                continue
            for i, t in enumerate(self.ends.tolist()):
                for part in self.members(node, t):
                    np.add.at(out[i], self.layout.columns(part.cells), 1)
        return out

    def recent(self, within: int) -> Ints:
        """Cases heard of within a time before each end: int64[ends, cells]."""
        out = np.zeros((len(self.ends), self.layout.size), np.int64)
        for i, t in enumerate(self.ends.tolist()):
            for event in self.plan.events:
                at = self.view(event, t)
                heard = (at.last_heard() > t - within) & at.visible()
                columns = self.layout.columns(at.cases.cell[: at.cases.n][heard])
                np.add.at(out[i], columns[columns >= 0], 1)
        return out


def selection(node: Node) -> Node:
    """The set of cases that an expression is about (the checker made sure there is one)."""
    return next(n for n in walk(node) if isinstance(n, (CaseSet, Union)))


def _reached(node: CaseValue, part: Selected) -> Floats:
    return (part.at.first(node.statuses[0]) <= part.at.t).astype(np.float64)


def _ontime(node: CaseValue, part: Selected) -> Floats:
    return (part.at.first(node.statuses[0]) <= _deadline(part)).astype(np.float64)


def _overdue(_: CaseValue, part: Selected) -> Floats:
    return (part.at.t > _deadline(part)).astype(np.float64)


def _deadline(part: Selected) -> Ints:
    if part.deadline is None:
        raise TypeError("a deadline needs due() or open(since=)")
    return part.deadline


def _took(node: CaseValue, part: Selected) -> Floats:
    at = part.at
    first, second = node.statuses
    begin = at.first(first)
    end = at.first(second, since=begin)
    end = np.where(end == FOREVER, at.first("closed", since=begin), end)
    end = np.where(end == FOREVER, at.t, end)
    return np.where(begin == FOREVER, np.nan, (end - begin) / 1000.0)


def _in_order(node: CaseValue, part: Selected) -> Floats:
    at = np.full(part.at.cases.n, -FOREVER, np.int64)
    for status in node.statuses:
        at = part.at.first(status, since=at)
    found: Floats = (at != FOREVER).astype(np.float64)
    return found


def _severity(_: CaseValue, part: Selected) -> Floats:
    return part.at.severity().astype(np.float64)


def _by_type(node: CaseValue, part: Selected) -> Floats:
    return np.full(part.at.cases.n, dict(node.numbers).get(part.event, np.nan))


_CASE_VALUES: dict[str, Callable[[CaseValue, Selected], Floats]] = {
    "reached": _reached,
    "ontime": _ontime,
    "overdue": _overdue,
    "took": _took,
    "in_order": _in_order,
    "severity": _severity,
    "by_type": _by_type,
}
