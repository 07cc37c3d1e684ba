"""How deep JSON text nests, without recursion: the parser's own limit moves with the call stack.

Whether a record is accepted must not depend on who called the decoder, so records deeper than
``flows.wire.MAX_DEPTH`` are refused before the parser sees them.
"""

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flows.wire import MAX_DEPTH

# Always matches once it starts (an open string ends with the text), so it cannot be made to scan twice.
_STRING = re.compile(rb'"(?:[^"\\]|\\.?)*+(?:"|\Z)', re.DOTALL)


def too_deep(text: bytes) -> bool:
    """Tell whether JSON text nests deeper than MAX_DEPTH; cheap for the short and the flat.

    >>> too_deep(b"[" * 257 + b"]" * 257), too_deep(b'"' + b"[" * 257 + b'"')
    (True, False)
    """
    if len(text) <= MAX_DEPTH or text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    return bool(_depths(text).max() > MAX_DEPTH)


def split_array(text: bytes) -> list[bytes]:
    """Return the elements of a JSON array by its brackets and commas alone; nothing is validated.

    >>> split_array(b'[{"a": ","}, [1, 2]]')
    [b'{"a": ","}', b'[1, 2]']
    """
    body = text.strip()
    depths = _depths(body)
    bare = np.frombuffer(_blank_strings(body), np.uint8)
    commas = np.flatnonzero((bare == ord(",")) & (depths == 1)).tolist()
    cuts = [0, *commas, len(body) - 1]
    return [body[start + 1 : end].strip() for start, end in pairwise(cuts)]


def _blank_strings(text: bytes) -> bytes:
    return _STRING.sub(lambda match: b" " * len(match[0]), text)


def _depths(text: bytes) -> NDArray[np.int32]:
    bare = np.frombuffer(_blank_strings(text), np.uint8)
    opened = (bare == ord("[")) | (bare == ord("{"))
    closed = (bare == ord("]")) | (bare == ord("}"))
    return np.cumsum(opened.astype(np.int32) - closed, dtype=np.int32)
