"""The dispatch queue under load: entries in at a rate, takers competing for them, some killed meanwhile.

    python benchmarks/dispatch_queue.py --rate 5000 --seconds 8 --takers 4 --kill 2

Entries are brought in by the engine's own sink. Every taker is a process that writes down what it works and
what it has acknowledged; the killed ones die by SIGKILL at random moments. Checked at the end: every entry
was acknowledged, exactly once, and none was worked again after that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from alerts.desk import Desk
from alerts.incident import Incident
from alerts.incidents import IncidentBook
from alerts.transitions import RawTransition, publish
from sinks.dispatch_client import DispatchClient
from sinks.dispatch_sink import IncidentContent
from sinks.redis_keys import Keys
from sinks.redis_link import RedisLink
from sinks.redis_server import embedded_server

ROOT = Path(__file__).resolve().parents[1]
DISTRICTS = 13
"""Wuhan has so many."""

BATCH_SECONDS = 0.05
_WORK_SECONDS = 0.02
"""So long takes the work on what was taken at once; whoever is killed has some in hand."""
_IDLE_SECONDS = 0.005
_NOW = 1_790_000_000_000
_ONE_TAKER = "import sys; from benchmarks.dispatch_queue import take_on; take_on(*sys.argv[1:])"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the entries.

    Attributes:
        entries: how many were brought in, at ``rate`` a second.
        seconds: until the last was acknowledged.
        acknowledged: how many were, by the feedback.
        twice: acknowledged more than once.
        again: worked after they had been acknowledged.
        repeated: worked more than once before that, since a taker died.
        left: still waiting or taken at the end.
        wait_median, wait_99: from the entry in the stream to its taker, ms.
    """

    entries: int
    rate: float
    seconds: float
    acknowledged: int
    twice: int
    again: int
    repeated: int
    left: int
    wait_median: float
    wait_99: float

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing worked twice after its acknowledgement."""
        return self.acknowledged == self.entries and not (self.twice or self.again or self.left)


def race(url: str, folder: Path, rate: int, seconds: float, takers: int, kill: int, seed: int = 1) -> Outcome:  # noqa: PLR0913, PLR0917
    """Bring entries in and let takers work them; ``kill`` of them die meanwhile."""
    random = Random(seed)  # noqa: S311 - moments, no secrets
    incidents = _incidents(int(rate * seconds))
    with _takers(url, folder, takers) as processes:
        deaths = sorted((random.uniform(0.2, 0.8) * seconds, i) for i in range(kill))
        begin = time.monotonic()
        reached = _bring_in(url, incidents, rate, begin, [(at, processes[i]) for at, i in deaths])
        _await_end(url, len(incidents))
        spent = time.monotonic() - begin
    return _outcome(url, folder, len(incidents), reached, spent)


def _incidents(count: int) -> list[Incident]:
    book = IncidentBook(desk=Desk())
    raws = [
        RawTransition(
            "gas.leak_lel_max", 0, _NOW + i, 1, "raised", 1 + i % 4, 0, 12.0, 10.0, _NOW + i, _NOW + i
        )
        for i in range(count)
    ]
    return book.take(publish(raw, f"4201{raw.start % DISTRICTS:02}", "district", None, "") for raw in raws)


def _bring_in(
    url: str, incidents: list[Incident], rate: int, begin: float, deaths: list[tuple[float, Any]]
) -> float:
    """Send the incidents at a rate; kill processes at their times. Returns entries per second."""
    content = IncidentContent(Keys())
    size = max(1, int(rate * BATCH_SECONDS))
    with RedisLink(url, content.scripts) as link:
        for i in range(0, len(incidents), size):
            time.sleep(max(0.0, begin + i / rate - time.monotonic()))
            while deaths and time.monotonic() - begin >= deaths[0][0]:
                deaths.pop(0)[1].send_signal(signal.SIGKILL)
            link.send(content.commands(link, [incidents[i : i + size]]))
    for _, process in deaths:
        process.send_signal(signal.SIGKILL)
    return len(incidents) / (time.monotonic() - begin)


@contextmanager
def _takers(url: str, folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _ONE_TAKER, url, f"taker-{i}", str(folder / f"{i}.log")], env=environment
        )
        for i in range(count)
    ]
    try:
        while len(list(folder.glob("*.log"))) < count:
            time.sleep(0.02)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def take_on(url: str, name: str, log: str) -> None:
    """One taker: take, write down, acknowledge, write down, until killed."""
    with DispatchClient(url, name, lease_ms=1_500, patience=None) as client, Path(log).open("w") as file:
        while True:
            taken = client.take(count=64, report=False)
            now, wall = time.monotonic_ns(), time.time()
            for entry in taken:
                waited = wall * 1000 - int(entry.entry_id.partition("-")[0])
                file.write(json.dumps(["work", entry.incident_id, now, waited, entry.deliveries]) + "\n")
            file.flush()
            time.sleep(_WORK_SECONDS if taken else _IDLE_SECONDS)
            done = client.ack_all(taken)
            now = time.monotonic_ns()
            for entry, mine in zip(taken, done, strict=True):
                file.write(json.dumps(["ack" if mine else "late", entry.incident_id, now, 0, 0]) + "\n")
            file.flush()


def _await_end(url: str, count: int, patience: float = 120.0) -> None:
    end = time.monotonic() + patience
    with RedisLink(url, patience=10) as link:
        while time.monotonic() < end and len(_acknowledged(link)) < count:
            time.sleep(0.05)


def _acknowledged(link: RedisLink) -> list[str]:
    (length,) = link.send([("XLEN", "yw:feedback")])
    (entries,) = link.send([("XRANGE", "yw:feedback", "-", "+", "COUNT", length + 1)])
    return [json.loads(fields[1])["incident_id"] for _, fields in entries]


def _outcome(url: str, folder: Path, count: int, rate: float, spent: float) -> Outcome:
    lines = [
        json.loads(line)
        for path in folder.glob("*.log")
        for line in path.read_text().splitlines()
        if line[-1:] == "]"
    ]
    works = [line for line in lines if line[0] == "work"]
    acked = {line[1]: line[2] for line in lines if line[0] == "ack"}
    with RedisLink(url, patience=10) as link, DispatchClient(url, "judge") as client:
        done = Counter(_acknowledged(link))
        left = len(client.listed())
    waits = [waited for _, _, _, waited, deliveries in works if deliveries == 1]
    return Outcome(
        entries=count,
        rate=rate,
        seconds=spent,
        acknowledged=len(done),
        twice=sum(n > 1 for n in done.values()),
        again=sum(at > acked.get(name, at) for _, name, at, _, _ in works),
        repeated=len(works) - len({line[1] for line in works}),
        left=left,
        wait_median=float(np.median(waits)),
        wait_99=float(np.percentile(waits, 99)),
    )


def main(
    rate: Annotated[int, typer.Option(help="Entries a second.")] = 5_000,
    seconds: Annotated[float, typer.Option(help="For so long.")] = 8.0,
    takers: Annotated[int, typer.Option(min=1, help="Competing takers.")] = 4,
    kill: Annotated[int, typer.Option(min=0, help="Takers killed meanwhile.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the moments at which they die.")] = 1,
) -> None:
    """Run the race on a Redis of its own and print what became of the entries."""
    with tempfile.TemporaryDirectory() as folder, embedded_server() as server:
        found = race(server.url, Path(folder), rate, seconds, takers, kill, seed)
    table = Table("what", "found", box=box.MARKDOWN)
    table.add_row("entries in", f"{found.entries:,} at {found.rate:,.0f} a second")
    table.add_row("takers", f"{takers}, of which {kill} killed")
    table.add_row("all acknowledged after", f"{found.seconds:.1f} s")
    table.add_row("acknowledged / twice / left", f"{found.acknowledged:,} / {found.twice} / {found.left}")
    table.add_row("worked again after its acknowledgement", f"{found.again}")
    table.add_row("worked again before, since a taker died", f"{found.repeated}")
    table.add_row(
        "from the stream to a taker, median / 99 %", f"{found.wait_median:.0f} / {found.wait_99:.0f} ms"
    )
    Console().print(table)
    raise typer.Exit(not found.sound)


if __name__ == "__main__":
    typer.run(main)
