"""One process of several of a live engine, started by ``run_workers``: ``python -m flows.live.run_worker N``.

It takes its order from stdin, one JSON object, and ends when that closes. It says on stdout, one JSON object
a line, every second how old its last recovery point is and whom it waits for, and in the end what it counted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from flows.config.configuration import Configuration
from flows.kafka.source import GapError
from flows.live.run import Engine
from flows.replay.failures import FIRST, root, told
from flows.replay.worker import Report
from sinks.kafka_types import KafkaFencedError
from sinks.log import EventLog, configure
from sinks.prometheus_waiting import KNOWN

LOG = EventLog("run")

BEAT = 1.0
"""Seconds between two signs of life."""


def main() -> None:
    """Run this process's share of the flow; exit code 1 if that fails."""
    # Ctrl-C reaches all processes of a terminal: the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One that comes before the engine listens has nothing to change: it reads its files when it starts.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    order = json.loads(sys.stdin.buffer.readline())
    report = Report()
    config = msgspec.convert(order["config"], Configuration)
    number, shared = int(sys.argv[1]), Path(order["shared"])
    log = config.log
    configure(log.format, log.language, log.level, config.city.tz, process=number)
    engine = Engine(config, number, order["ports"], shared)
    signal.signal(signal.SIGTERM, lambda *_: engine.stop.ask())
    signal.signal(signal.SIGHUP, engine.hangup.ask)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_beat, args=(engine, report), daemon=True).start()
    try:
        summary = engine.run()
    except BaseException as error:  # noqa: BLE001 - the engine panics where another process died
        cause = root(FIRST[0] if FIRST else error)
        if FIRST or isinstance(error, Exception):
            kind = "final" if isinstance(cause, (ValueError, GapError, KafkaFencedError)) else "work"
            report.say({"failed": {"kind": kind, "message": told(cause)}})
        LOG.failed("run.process_failed", cause, kind=type(cause).__name__)
        sys.stderr.flush()
        # What is left of the engine after a failure may hang.
        os._exit(1)
    report.say({"done": msgspec.to_builtins(summary)})


def _beat(engine: Engine, report: Report) -> None:
    while True:
        report.say({"alive": sign_of_life(engine)})
        time.sleep(BEAT)


def sign_of_life(engine: Engine) -> dict[str, Any]:
    """How old the last recovery point is, and who is waited for."""
    age = max((engine.wall() - part.kept for part in engine.parts), default=0.0)
    waits = [name for name in KNOWN if engine.waits.longest(name)]
    return {"age": age, "waits": waits}


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
