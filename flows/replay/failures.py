"""What went wrong first in this process: of several, the engine says no more than that one failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

FIRST: list[Exception] = []
"""The first failure of a step in this process, if there was one."""


@contextmanager
def noted() -> Iterator[None]:
    """Remember the block's (or, as ``@noted()``, the function's) failure, which goes on its way.

    >>> with noted():
    ...     raise ValueError("no such thing")
    Traceback (most recent call last):
    ValueError: no such thing
    >>> FIRST.pop()
    ValueError('no such thing')
    """
    try:
        yield
    except StopIteration:
        raise
    except Exception as error:
        FIRST.append(error)
        raise


def root(error: BaseException) -> BaseException:
    """What a step raised: the engine wraps it in runtime errors of its own, once for every layer.

    >>> root(RuntimeError("outer"))
    RuntimeError('outer')
    """
    while isinstance(error, RuntimeError) and (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def told(error: BaseException) -> str:
    """An error as one reads it; its type where the message alone may not say enough.

    >>> told(ValueError("give another file")), told(KeyError("x"))
    ('give another file', "KeyError: 'x'")
    """
    if isinstance(error, (ValueError, OSError)):
        return str(error)
    return f"{type(error).__name__}: {error}"
