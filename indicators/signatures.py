"""What a function of the formula language takes and gives.

>>> Parameter("window", Takes.DURATION, default=None).text
'[window]'
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from indicators.expression import Kind


class Takes(Enum):
    """What an argument must be; the value is what an error message says was expected."""

    METRIC = "the name of a metric"
    READINGS = "the name of a metric, or despike(...) of one"
    COUNTED = "the name of a metric, or comparisons of one with numbers"
    ROWS = "a metric, a Series number or a value per case"
    PAIRED = "a Series number or a value per case"
    ROW_FLAG = "a flag per reading, series or case"
    COUNTABLE = "a flag per reading, series or case, or a set of cases"
    CASES = "a set of cases, as entered(...), open(...) or due(...) give it"
    POINTS = "a set of cases or a Series flag"
    SERIES = "a Series number, such as mean(metric)"
    SERIES_FLAG = "a Series flag, such as max(metric) >= 1"
    AREA = "an Area number, such as highest(max(metric))"
    AREA_FLAG = "an Area flag, such as highest(max(metric)) >= 1"
    LIMIT = "a Scalar or Series number"
    VALUE = "a number, but not a bare metric"
    TERM = "a number or a flag, but not a bare metric"
    ANY = "a number or a flag"
    FLAG = "a flag"
    NUMBER = "a number written out"
    POSITIVE = "a number above 0, written out"
    WHOLE = "a whole number from 1 on, written out"
    LAG = "a whole number from 0 on, written out"
    RANK = "a percentage above 0 and below 100, written out"
    FRACTION = "a number above 0 and up to 1, written out"
    DURATION = "a duration such as '15m'"
    NEED = "a number of readings, or a duration such as '45m'"
    CLOCK = "a local clock span such as '22:00-06:00'"
    NAME = "a name in quotes"
    EVENT = "the name of an event type"
    STATUS = "a status in quotes, such as 'closed'"
    POINT = "a pair of numbers (x, y)"
    WEIGHTS = "a tuple of numbers from 0 on"
    PER_EVENT = "event types with a number each, as in ev_fire_alarm=300"


class Role(Enum):
    """Whether rows hold numbers, flags, or are themselves the thing (a set of cases)."""

    NUMBER = "number"
    FLAG = "flag"
    SET = "set"


class _Required(Enum):
    REQUIRED = 0


REQUIRED: Final = _Required.REQUIRED
"""The default of a parameter that has none."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``many`` ones take the rest of their sort, at least ``least`` of them."""

    name: str
    takes: Takes
    default: float | str | _Required | None = REQUIRED
    many: bool = False
    least: int = 1
    keyword: bool = False

    @property
    def required(self) -> bool:
        """True if a call must give it.

        >>> Parameter("m", Takes.METRIC).required
        True
        """
        return self.default is REQUIRED and not (self.many and self.least == 0)

    @property
    def text(self) -> str:
        """The parameter as a signature shows it.

        >>> Parameter("event", Takes.EVENT, many=True).text
        'event, ...'
        """
        if self.takes is Takes.PER_EVENT:
            return "event=number, ..."
        if self.many:
            return f"{self.name}, ..."
        if self.default is REQUIRED:
            return f"{self.name}=" if self.keyword else self.name
        value = "" if self.default is None else repr(self.default)
        return f"[{self.name}={value}]" if self.keyword or value else f"[{self.name}]"


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the function table.

    ``gives`` is the kind of the result, None for the kind of the arguments; ``role`` likewise, None for that
    of the first argument. ``cost`` is one of: A sums per slice, R readings kept, H ring of coarse slices,
    K cases, - arithmetic. ``holds`` says that it needs a sampling period.
    """

    name: str
    section: str
    parameters: tuple[Parameter, ...]
    gives: Kind | None
    role: Role | None
    cost: str
    en: str
    zh: str
    example: str
    holds: bool = False

    @property
    def signature(self) -> str:
        """The call as one would write it.

        >>> from indicators.functions import FUNCTIONS
        >>> FUNCTIONS["quantile"].signature
        'quantile(x, q)'
        """
        return f"{self.name}({', '.join(p.text for p in self.parameters)})"
