"""What a check has found, in English and Chinese: what is there, and what to do about it.

>>> finding = warning("ports", ("two are taken", "有两个被占用"), ("change the port", "改端口"))
>>> finding.state, finding.advice.en
('warning', 'change the port')
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "warning", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages."""

    en: str
    zh: str


NOTHING = Text("", "")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    Attributes:
        check: the name of the check, the same for all time.
        state: ``ok``; ``warning``: it will work, but; ``wrong``: it will not work, or lose something;
            ``skipped``: it could not be looked at.
        found: what is there.
        advice: what to do, empty where nothing is to be done.
    """

    check: str
    state: State
    found: Text
    advice: Text = NOTHING


Findings = Iterator[Finding]


def ok(check: str, en: str, zh: str) -> Finding:
    """A check that found nothing wrong."""
    return Finding(check, "ok", Text(en, zh))


def wrong(check: str, found: tuple[str, str], advice: tuple[str, str]) -> Finding:
    """A fault: what was found and what to do, each in English and Chinese."""
    return Finding(check, "wrong", Text(*found), Text(*advice))


def warning(check: str, found: tuple[str, str], advice: tuple[str, str]) -> Finding:
    """A doubt: what was found and what to do, each in English and Chinese."""
    return Finding(check, "warning", Text(*found), Text(*advice))


def skipped(check: str, en: str, zh: str) -> Finding:
    """A check that could not be made, and why."""
    return Finding(check, "skipped", Text(en, zh))


def unreadable(path: Path | None, faults: tuple[str, ...]) -> Findings:
    """The findings for a configuration that cannot be used."""
    name = path.name if path else "options"
    for fault in faults:
        yield wrong(
            "config",
            (f"{name}: {fault}", f"{name}：{fault}"),
            (
                "correct the file; `yiwang config example` prints one with every option",
                "改正该文件；`yiwang config example` 可打印含全部选项的样例",
            ),
        )
