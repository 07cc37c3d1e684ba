"""Gauges with many samples, kept as text: a scrape costs what has changed since the last one.

    set(labels, value) ─▶ kept lines ─▶ text, when scraped

A gauge reads the same in the text format and in OpenMetrics, so one text serves both.

>>> level = KeptGauge("yiwang_indicator_level", "Level.", ("area",))
>>> level.set([(("city",), 2.0), (("420106",), 0.0)]); level.set([(("420106",), None)])
>>> print(level.text().decode(), end="")
# HELP yiwang_indicator_level Level.
# TYPE yiwang_indicator_level gauge
yiwang_indicator_level{area="city"} 2.0
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

Labels = tuple[str, ...]

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_GO = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


@dataclass(slots=True)
class KeptGauge:
    """A gauge; ``set`` and ``text`` may be called from different threads."""

    name: str
    help: str
    labels: Labels
    _new: dict[Labels, float | None] = field(default_factory=dict, init=False)
    _lines: dict[Labels, bytes] = field(default_factory=dict, init=False)
    _begun: dict[Labels, bytes] = field(default_factory=dict, init=False)
    _told: bytes = field(default=b"", init=False)
    _setting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def set(self, values: Iterable[tuple[Labels, float | None]]) -> None:
        """New values by labels; a None takes the sample away. Costs little: lines are made when scraped."""
        with self._setting:
            self._new.update(values)

    def text(self) -> bytes:
        """The family in the text format, samples in the order in which they first came."""
        with self._telling:
            with self._setting:
                new, self._new = self._new, {}
            if new or not self._told:
                for labels, value in new.items():
                    self._line(labels, value)
                head = f"# HELP {self.name} {self.help}\n# TYPE {self.name} gauge\n"
                self._told = b"".join([head.encode(), *self._lines.values()])
            return self._told

    def _line(self, labels: Labels, value: float | None) -> None:
        if value is None:
            self._lines.pop(labels, None)
            return
        begun = self._begun.get(labels)
        if begun is None:
            pairs = sorted(zip(self.labels, labels, strict=True))
            told = ",".join(f'{name}="{text.translate(_ESCAPED)}"' for name, text in pairs)
            begun = self._begun[labels] = f"{self.name}{{{told}}} ".encode()
        number = repr(float(value))
        self._lines[labels] = b"%b%b\n" % (begun, _GO.get(number, number).encode())
