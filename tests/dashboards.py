"""The queries of the boards and rules in ``deploy/``, and the metrics they name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = DEPLOY / "prometheus" / "rules.yml"

_VARIABLES = {"$indicator": "traffic.congestion_index", "$instance": ".*", "$district": ".*"}
"""What a reader would have chosen of the variables."""

_METRIC = re.compile(r"\b((?:yiwang|process)[_:][a-z0-9_:]+)(?:\{([^}]*)\})?")
_LABELS = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and where it stands."""

    place: str
    expr: str

    @property
    def metrics(self) -> dict[str, set[str]]:
        """Each metric it names, without what a histogram or summary adds, and the labels it selects by."""
        found: dict[str, set[str]] = {}
        for name, labels in _METRIC.findall(self.expr):
            found.setdefault(name, set()).update(_LABELS.findall(labels))
        return found


def board(path: Path) -> dict[str, Any]:
    """A board as Grafana reads it."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def board_queries() -> Iterator[Query]:
    """Every Prometheus query of every panel, with the variables replaced."""
    for path in BOARDS:
        for panel in board(path)["panels"]:
            for target in panel["targets"]:
                if "expr" in target:
                    expr = target["expr"]
                    for name, value in _VARIABLES.items():
                        expr = expr.replace(name, value)
                    yield Query(f"{path.name}: {panel['title']}", expr)


def rules() -> list[dict[str, Any]]:
    """All recording and alerting rules."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def rule_queries() -> Iterator[Query]:
    """The expression of every rule."""
    for rule in rules():
        yield Query(f"rules.yml: {rule.get('alert', rule.get('record'))}", rule["expr"])


def without_suffix(name: str) -> str:
    """The family of a sample of a histogram or summary.

    >>> without_suffix("yiwang_batch_seconds_sum"), without_suffix("yiwang_readings_total")
    ('yiwang_batch_seconds', 'yiwang_readings_total')
    """
    return _SUFFIX.sub("", name)
