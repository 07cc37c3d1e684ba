"""How the program is called again: what it suggests to type next must work as it stands."""

import shutil
import sys
from pathlib import Path

NAME = "yiwang"


def program() -> str:
    """``yiwang`` where the ``PATH`` has it, else the path it was started by, such as ``.venv/bin/yiwang``.

    >>> Path(program()).name
    'yiwang'
    """
    started = Path(sys.argv[0])
    return str(started) if started.name == NAME and not shutil.which(NAME) else NAME
