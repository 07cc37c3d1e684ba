"""The Lua scripts that change several keys at once; what each wants is written at its top (`data/`)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files


def scripts(*names: str) -> Mapping[str, str]:
    """Sources by name.

    >>> list(scripts("entry", "tidy"))
    ['entry', 'tidy']
    """
    folder = files("sinks") / "data"
    return {name: (folder / f"{name}.lua").read_text(encoding="utf-8") for name in names}
