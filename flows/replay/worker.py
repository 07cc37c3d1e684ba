"""One process of a replay, started by ``processes``: ``python -m flows.replay.worker NUMBER``."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
import traceback
from typing import Any

from flows.recovery.snapshots import COSTS
from flows.replay.failures import FIRST, root, told
from flows.replay.profile import SECONDS
from flows.replay.replaying import flow_of, options_from
from flows.replay.running import run_flow

_REPORT_EVERY = 0.1
"""Seconds between two reports of progress."""


def main() -> None:
    """Run this process's share of the flow; exit code 1 if that fails."""
    order = json.loads(sys.stdin.buffer.readline())
    ports = order.pop("ports")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    report = Report()
    stage = "options"
    try:
        options = options_from(order)
        flow = flow_of(options, report.read)
        stage = "work"
        run_flow(flow, options.recovery, options.snapshot_every, int(sys.argv[1]), ports)
    except BaseException as error:  # noqa: BLE001 - the engine panics where another process died
        if FIRST or isinstance(error, Exception):
            cause = root(FIRST[0] if FIRST else error)
            report.say({"failed": {"kind": stage, "message": told(cause)}})
        traceback.print_exc()
        sys.stderr.flush()
        # What is left of the engine after a failure may hang.
        os._exit(1)
    report.say({"read": report.unsaid})
    report.say({"done": figures()})


def figures() -> dict[str, Any]:
    """What the parent adds up: seconds by part, costs of snapshots, peak memory in MB."""
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    costs = {"sizes": COSTS.sizes, "pauses": COSTS.pauses, "cold": COSTS.cold}
    return {"profile": dict(SECONDS), "costs": costs, "peak_rss_mb": usage}


class Report:
    """Tells the parent on stdout how far reading has come, not too often."""

    def __init__(self) -> None:
        """Nothing told."""
        self.unsaid = 0
        self._last = 0.0
        # What anything else prints to stdout goes where errors go.
        self._channel = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def read(self, amount: int) -> None:
        """Some more bytes were read."""
        self.unsaid += amount
        if time.monotonic() - self._last > _REPORT_EVERY:
            self.say({"read": self.unsaid})
            self.unsaid, self._last = 0, time.monotonic()

    def say(self, what: dict[str, Any]) -> None:
        """One line."""
        os.write(self._channel, json.dumps(what).encode() + b"\n")


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
