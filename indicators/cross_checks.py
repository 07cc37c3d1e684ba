"""What metrics have to do with each other: declared rules → columns, from ``data/checks/cross_checks.toml``.

>>> checks = CrossChecks.load()
>>> checks["rain_and_water"].then
('ponding_depth', 'pipe_level', 'river_level')
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec

from indicators.arguments import closest
from indicators.durations import milliseconds
from indicators.metrics import Metrics

SHIPPED = Path(__file__).parent / "data" / "checks" / "cross_checks.toml"
"""The rules that come with the package."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
Codes = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
Sign = Literal["same", "opposite", "any"]
Supports = Literal["event", "fault"]


class CrossCheckError(ValueError):
    """The rules cannot be used; says which and why."""


class Trait(IntEnum):
    """What a metric may be besides a number; a bit of each."""

    FIELD = 1
    """The same all over a tile: its sensors there ought to agree."""
    IMPULSIVE = 2
    """Single extreme readings are real."""
    STATE = 4
    """Standing still says nothing of the sensor."""
    HEARTBEAT = 8
    """Silence is what it is there to tell."""


class _Traits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    field: tuple[str, ...] = ()
    impulsive: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    heartbeat: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """If a metric of ``when`` moves in a tile, one of ``then`` may be expected to, within ``lag``.

    ``supports = "event"``: whoever of the two moves is believed when the other has moved (in the ``same``
    direction, the ``opposite`` one, or ``any``) up to ``lag`` before. ``"fault"``: one of ``then`` that
    moves while those of ``when`` in the same tile stay calm is doubted.
    """

    id: Text
    name_zh: Text
    name_en: Text
    when: Codes
    then: Codes
    sign: Sign
    lag: Text
    supports: Supports

    @property
    def lag_ms(self) -> int:
        """How long after the one the other may move, ms."""
        return milliseconds(self.lag)


class Together(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metrics that indicators read together, sensor by sensor: one without the others would tell untruths.

    Those that are ``held`` speak beyond their last readings while the others do not; they are left out by so
    much earlier.
    """

    metrics: Codes
    held: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    metrics: _Traits = _Traits()
    together: tuple[Together, ...] = ()
    rule: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class CrossChecks:
    """The rules in their order, the :class:`Trait` bits of metrics by code, and metrics read together."""

    rules: tuple[Rule, ...]
    traits: dict[str, int]
    together: tuple[tuple[str, ...], ...] = ()
    held: frozenset[str] = frozenset()

    @classmethod
    @cache
    def load(cls) -> Self:
        """The rules that come with the package."""
        return cls.read(SHIPPED.read_text(encoding="utf-8"), Metrics.load())

    @classmethod
    def read(cls, text: str, metrics: Metrics) -> Self:
        r"""Rules of a TOML text; every fault in them is told at once, a line each.

        Raises:
            CrossCheckError: the text is no TOML, a key is unknown or missing, a metric, sign or lag is none.

        >>> CrossChecks.read('[metrics]\nstate = ["rain"]', Metrics.load())
        Traceback (most recent call last):
        indicators.cross_checks.CrossCheckError: metrics: state: no metric of sensors is 'rain'; ...
        """
        try:
            file = msgspec.convert(tomllib.loads(text), _File)
        except tomllib.TOMLDecodeError as error:
            raise CrossCheckError(f"the rules are no TOML: {error}") from None
        except msgspec.ValidationError as error:
            raise CrossCheckError(str(error).replace("$.", "")) from None
        traits = {name: getattr(file.metrics, name) for name in _Traits.__struct_fields__}
        faults = [
            f"metrics: {name}: {fault}"
            for name, codes in traits.items()
            for fault in _unknown(codes, metrics)
        ]
        faults += [f"{rule.id}: {fault}" for rule in file.rule for fault in _faults(rule, metrics)]
        groups = tuple(one.metrics for one in file.together)
        held = frozenset(code for one in file.together for code in one.held)
        faults += [
            f"together: {code} is held, but none of the metrics"
            for code in sorted(held - {code for group in groups for code in group})
        ]
        joined = [code for group in groups for code in group]
        faults += [f"together: {fault}" for fault in _unknown(tuple(joined), metrics)]
        faults += [f"together: {code} is in several groups; put them into one" for code in _doubled(joined)]
        ids = [rule.id for rule in file.rule]
        faults += [
            f"{id_}: occurs {ids.count(id_)} times; an id is that of one rule" for id_ in _doubled(ids)
        ]
        if faults:
            raise CrossCheckError("\n".join(faults))
        bits: dict[str, int] = {}
        for name, codes in traits.items():
            for code in codes:
                bits[code] = bits.get(code, 0) | Trait[name.upper()]
        return cls(file.rule, bits, groups, held)

    def beside(self, code: str) -> tuple[str, ...]:
        """The metrics that are read together with one, itself among them.

        >>> CrossChecks.load().beside("streetlight_power")
        ('streetlight_on_cmd', 'streetlight_power')
        """
        return next((group for group in self.together if code in group), (code,))

    def __getitem__(self, rule: str) -> Rule:
        """The rule of an id.

        Raises:
            KeyError: there is none.
        """
        for one in self.rules:
            if one.id == rule:
                return one
        raise KeyError(rule)


def _unknown(codes: tuple[str, ...], metrics: Metrics) -> list[str]:
    """What is wrong with codes of metrics that are to send readings that move."""
    sent = [m.code for m in metrics.metrics if not m.reference]
    return [f"no metric of sensors is {code!r}{closest(code, sent)}" for code in codes if code not in sent]


def _faults(rule: Rule, metrics: Metrics) -> list[str]:
    found = _unknown((*rule.when, *rule.then), metrics)
    try:
        milliseconds(rule.lag)
    except ValueError as error:
        found.append(f"lag: {error}")
    return found


def _doubled(ids: list[str]) -> list[str]:
    return sorted({id_ for id_ in ids if ids.count(id_) > 1})
