"""The typed tree a formula is compiled to: what the checker writes and the evaluator reads.

Values flow one way only: readings -> series -> area, and cases -> area. Every node knows its
:class:`Kind`; all nodes are frozen and compare by content, so that a part that occurs twice in a
catalogue is computed once.

>>> rain = Aggregate("sum", Metric("rain_1m"), window=3_600_000)
>>> Reduce("highest", (rain,)).kind is Kind.AREA
True
>>> rain == Aggregate("sum", Metric("rain_1m"), window=3_600_000)
True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, TypeVar


class Kind(IntEnum):
    """What a node has one value per (FORMULAS.md section 2)."""

    SCALAR = 0
    READINGS = 1
    SERIES = 2
    CASES = 3
    AREA = 4


class _Hashed:
    """Room for a node's hash."""

    __slots__ = ("_hash",)
    _hash: int


Hashed = TypeVar("Hashed", bound=type[_Hashed])


def _once(cls: Hashed) -> Hashed:
    """Let nodes of a class, whose trees are the keys of every window, compute their hash once."""
    whole: Callable[[object], int] = cls.__hash__

    def kept(self: _Hashed) -> int:
        try:
            found: int = self._hash
        except AttributeError:
            found = whole(self)
            object.__setattr__(self, "_hash", found)
        return found

    cls.__hash__ = kept  # type: ignore[assignment]
    return cls


@dataclass(frozen=True, slots=True)
class Const:
    """A number written in the formula."""

    value: float
    kind: ClassVar[Kind] = Kind.SCALAR


@dataclass(frozen=True, slots=True)
class Setting:
    """A number of the city profile, ``setting('name', default)``."""

    name: str
    default: float
    kind: ClassVar[Kind] = Kind.SCALAR


@dataclass(frozen=True, slots=True)
class Clock:
    """True when the window's end lies in (begin, end] local time; milliseconds since local midnight."""

    begin: int
    end: int
    kind: ClassVar[Kind] = Kind.SCALAR


@dataclass(frozen=True, slots=True)
class Metric:
    """The readings of one metric."""

    code: str
    kind: ClassVar[Kind] = Kind.READINGS


@dataclass(frozen=True, slots=True)
class Despike:
    """Readings of a metric less the isolated peaks, ``despike(m, factor)``."""

    code: str
    factor: float
    kind: ClassVar[Kind] = Kind.READINGS


@_once
@dataclass(frozen=True, slots=True)
class Aggregate(_Hashed):
    """A per-series aggregate of readings. Durations in ms; ``window=None`` is the indicator's own.

    ``need`` is the least number of readings, ``need_ms`` the least minutes of data (in ms),
    ``cover`` the least share of the window in minutes of data; ``params`` are the further arguments
    (percentile rank, limits, ...) as nodes of kind SCALAR or SERIES, in the order of the function table.
    """

    fn: str
    source: Node
    window: int | None = None
    offset: int = 0
    need: float | None = None
    need_ms: int | None = None
    cover: float | None = None
    params: tuple[Node, ...] = ()
    kind: ClassVar[Kind] = Kind.SERIES


@_once
@dataclass(frozen=True, slots=True)
class CaseSet(_Hashed):
    """A set of cases: ``entered``, ``open`` or ``due``. Durations in ms."""

    fn: str
    events: tuple[str, ...]
    statuses: tuple[str, ...] = ()
    window: int | None = None
    without: str | None = None
    since: str | None = None
    before: str | None = None
    within: int | None = None
    kind: ClassVar[Kind] = Kind.CASES


@_once
@dataclass(frozen=True, slots=True)
class Union(_Hashed):
    """Cases of either set, ``c1 | c2``."""

    sets: tuple[Node, ...]
    kind: ClassVar[Kind] = Kind.CASES


@_once
@dataclass(frozen=True, slots=True)
class CaseValue(_Hashed):
    """A value or flag per case of one selection: ``took``, ``reached``, ``ontime``, ``overdue``, ...

    ``statuses`` in order of the arguments; ``numbers`` maps event types to numbers (``by_type``).
    """

    fn: str
    cases: Node
    statuses: tuple[str, ...] = ()
    numbers: tuple[tuple[str, float], ...] = ()
    kind: ClassVar[Kind] = Kind.CASES


@_once
@dataclass(frozen=True, slots=True)
class Reduce(_Hashed):
    """A reduction of readings (pooled), series or cases to one number per area.

    ``args`` are the reduced nodes (``ratio``: two; ``share``: flag and, if given, weight);
    ``params`` the literals (``quantile``: q).
    """

    fn: str
    args: tuple[Node, ...]
    params: tuple[float, ...] = ()
    kind: ClassVar[Kind] = Kind.AREA


@_once
@dataclass(frozen=True, slots=True)
class Apply(_Hashed):
    """An elementwise operation on nodes of one kind (scalars broadcast).

    ``fn`` is one of ``neg add sub mul div pow not and or lt le gt ge eq ne if`` (condition, then, else)
    or an elementwise function of the table (``clip``: x, lo, hi with None-constants as NaN; ``piecewise``:
    x, x0, y0, x1, y1, ...; ``mean_of``: values, then as many weights in ``params`` if given).
    """

    fn: str
    args: tuple[Node, ...]
    kind: Kind = field(default=Kind.SCALAR)
    params: tuple[float, ...] = ()


Node = Const | Setting | Clock | Metric | Despike | Aggregate | CaseSet | Union | CaseValue | Reduce | Apply
"""Any node of the tree."""


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order of their arguments.

    >>> children(Apply("neg", (Const(1.0),)))
    (Const(value=1.0),)
    """
    match node:
        case Aggregate():
            return (node.source, *node.params)
        case Union():
            return node.sets
        case CaseValue():
            return (node.cases,)
        case Reduce() | Apply():
            return node.args
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents first.

    >>> [type(n).__name__ for n in walk(Apply("neg", (Const(1.0),)))]
    ['Apply', 'Const']
    """
    yield node
    for child in children(node):
        yield from walk(child)
