"""Which department an incident goes to: a table theme × district over the catalogue's departments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from alerts.rule_file import Rule, Subject, first, read_rules

SHIPPED = Path(__file__).parent / "data" / "routing.toml"
"""The table that counts where none is given."""


class Route(Rule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Incidents that fit go to ``department``."""

    department: str


@dataclass(frozen=True, slots=True)
class Routing:
    """The routes in order.

    >>> subject = Subject("emergency", "gas", "gas.leak_lel_max", "420106", "cell")
    >>> Routing((Route(district="420106", department="武昌区应急管理局"),)).department(subject, "市燃气")
    '武昌区应急管理局'
    >>> Routing().department(subject, "市燃气")
    '市燃气'
    """

    routes: tuple[Route, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The routes of a file, or those shipped.

        Raises:
            ValueError: a route cannot be used. OSError: the file cannot be read.
        """
        return cls(read_rules(path or SHIPPED, "route", Route))

    def department(self, subject: Subject, default: str) -> str:
        """The department of the first route that fits, else the catalogue's."""
        route = first(self.routes, subject)
        return default if route is None else route.department
