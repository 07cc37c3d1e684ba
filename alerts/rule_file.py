"""Small tables of rules in TOML: the first rule that fits a subject counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from indicators.toml_text import TomlError, read_toml

Kind = Literal["cell", "community", "street", "district", "city"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules ask about: an alert's indicator and place."""

    theme: str
    domain: str
    indicator: str
    district: str
    kind: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a rule may ask; a key that is left out fits everything.

    ``indicator`` may end in ``*``.
    """

    theme: str | None = None
    domain: str | None = None
    indicator: str | None = None
    district: str | None = None
    kind: Kind | None = None

    def fits(self, subject: Subject) -> bool:
        """Whether everything asked holds.

        >>> gas = Subject("emergency", "gas", "gas.leak_lel_max", "420106", "cell")
        >>> Rule(indicator="gas.*").fits(gas), Rule(theme="emergency", district="420102").fits(gas)
        (True, False)
        """
        wanted = (self.theme, self.domain, self.district, self.kind)
        found = (subject.theme, subject.domain, subject.district, subject.kind)
        if any(want is not None and want != have for want, have in zip(wanted, found, strict=True)):
            return False
        if self.indicator is None or self.indicator == subject.indicator:
            return True
        return self.indicator.endswith("*") and subject.indicator.startswith(self.indicator[:-1])


R = TypeVar("R", bound=Rule)


def first(rules: Iterable[R], subject: Subject) -> R | None:
    """The first rule that fits."""
    return next((rule for rule in rules if rule.fits(subject)), None)


def read_rules(path: Path, name: str, rule: type[R]) -> tuple[R, ...]:
    """The ``[[name]]`` tables of a TOML file, in order; there may be none.

    Raises:
        ValueError: the file is no such table; names the file, the rule and the key.
        OSError: it cannot be read.
    """
    try:
        content = read_toml(path.read_text(encoding="utf-8"))
    except (TomlError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {error}; rules are TOML text in UTF-8") from error
    tables = content.pop(name, [])
    if content or not isinstance(tables, list):
        key = next(iter(content), name)
        raise ValueError(f"{path}: {key} is no list of tables called {name}; write [[{name}]] tables only")
    found = []
    for number, table in enumerate(tables, start=1):
        try:
            found.append(msgspec.convert(table, rule))
        except (msgspec.ValidationError, ValueError) as error:
            raise ValueError(f"{path}: {name} {number}: {str(error).replace('$.', '')}") from None
    return tuple(found)
