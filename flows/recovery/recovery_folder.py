"""The folder a replay goes on from: one run at a time, and always the same one.

``run.json`` says what the run is (inputs, lanes, city), ``lock`` is held by every process of a running
replay, ``engine`` has the engine's snapshots and ``cold`` the slices that snapshots name.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bytewax.recovery import init_db_dir

PARTITIONS = 4
"""Files of the engine's snapshots; fixed for the life of a folder."""

PATIENCE = 10.0
"""Seconds for the processes of a run that was killed to notice and let go of the folder."""


@dataclass(frozen=True, slots=True)
class RecoveryFolder:
    """A folder that holds, or will hold, the state of one run."""

    path: Path

    @property
    def engine(self) -> Path:
        """Where the engine keeps its snapshots."""
        return self.path / "engine"

    @property
    def _description(self) -> Path:
        return self.path / "run.json"

    def found(self) -> dict[str, Any] | None:
        """What the run in this folder is, None if there is none yet."""
        if not self._description.exists():
            return None
        found: dict[str, Any] = json.loads(self._description.read_text(encoding="utf-8"))
        return found

    def take_up(self, wanted: Mapping[str, Any]) -> bool:
        """Whether there is a run to go on with; if there is none, make room for this one.

        Raises:
            ValueError: the folder belongs to another run.
        """
        found = self.found()
        if found is not None:
            differs = [name for name in wanted if found.get(name) != wanted[name]]
            if differs:
                is_, was = ({name: run.get(name) for name in differs} for run in (wanted, found))
                raise ValueError(
                    f"{self.path} belongs to another run: it was started with {was}, this run has {is_}; "
                    f"give the same, or an empty folder"
                )
            return True
        for left in (self.engine, self.path / "cold"):
            shutil.rmtree(left, ignore_errors=True)
        self.engine.mkdir(parents=True, mode=0o700)
        init_db_dir(self.engine, PARTITIONS)  # type: ignore[no-untyped-call]
        draft = self.path / ".run.json.draft"
        draft.write_text(json.dumps(dict(wanted)), encoding="utf-8")
        draft.replace(self._description)
        return False

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder for this process and those that inherit the yielded file descriptor.

        Raises:
            ValueError: another run holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / "lock").open("w") as file:
            deadline = time.monotonic() + PATIENCE
            while not _taken(file.fileno()):
                if time.monotonic() > deadline:
                    raise ValueError(
                        f"{self.path} is in use by another replay; wait for its end, or give another folder"
                    )
                time.sleep(0.05)
            yield file.fileno()


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
