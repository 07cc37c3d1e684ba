"""TOML text → its tables, or the one error of the standard library's reader, whatever the text.

>>> read_toml("a = 1")
{'a': 1}
>>> read_toml("a = " + "[" * 5_000 + "]" * 5_000)
Traceback (most recent call last):
tomllib.TOMLDecodeError: nests too deeply
"""

from __future__ import annotations

import tomllib
from typing import Any

MAX_TOML = 1 << 20
"""Longest text, in characters."""

TomlError = tomllib.TOMLDecodeError
"""What is raised for a text that is no TOML."""


def read_toml(text: str) -> dict[str, Any]:
    """The tables of a text.

    Raises:
        TomlError: it is no TOML, longer than ``MAX_TOML``, nests too deeply, or has too long a number.
    """
    if len(text) > MAX_TOML:
        raise TomlError(f"has {len(text)} characters; at most {MAX_TOML} are read, divide the file")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TomlError("nests too deeply") from None
    except TomlError:
        raise
    except ValueError as error:  # of a whole number with more digits than the interpreter reads
        raise TomlError(str(error)) from None
