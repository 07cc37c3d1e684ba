"""What is fuzzed: name → function of some inputs, its seeds, its words.

A target returns what became of each input, as a short word. The errors that a reader declares are such a
word; any other exception is a fault, and so is a broken promise (an `AssertionError`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Target:
    """A reader of what comes from outside.

    Attributes:
        run: takes some inputs, tells what became of each.
        seeds: sound inputs; the files of ``corpus/NAME`` are more.
        words: of its language.
        batch: inputs given at a time.
        weight: share of the inputs of a run.
    """

    name: str
    run: Callable[[Sequence[bytes]], list[str]]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    batch: int = 16
    weight: float = 1.0
    kept: Path = field(default=CORPUS)

    def inputs(self) -> list[bytes]:
        """The seeds and what is kept of earlier finds."""
        folder = self.kept / self.name
        return [*self.seeds, *(path.read_bytes() for path in sorted(folder.glob("*")) if path.is_file())]


def each(one: Callable[[bytes], str]) -> Callable[[Sequence[bytes]], list[str]]:
    """A target of many inputs from one of a single input."""
    return lambda inputs: [one(text) for text in inputs]


def decoded(text: bytes) -> str | None:
    """Text of a file, None where it is not UTF-8: then its reader is not even asked."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None
