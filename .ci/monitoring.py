"""A real Prometheus scrapes a running engine: rules, metrics and every query of every board must work.

python .ci/monitoring.py WORK_FOLDER      (needs prometheus and promtool on PATH)
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from flows.replay.processes import free_ports  # noqa: E402 - found by the line before
from sinks.redis_server import embedded_server  # noqa: E402
from tests.dashboards import DEPLOY, Query, board_queries, rule_queries  # noqa: E402

SAMPLE = ROOT / "sim" / "sample"
PACE = 240
"""Seconds of event time a second: the sample's four hours last a minute."""
MAY_BE_EMPTY = (
    "yiwang_watermark_held == 1",
    "== 0",
    "> 120",
    "> 0.05",
    "> 0.2",
    "> 5",
    "> 1800",
    "bad_transition",
)
"""Parts of expressions that are true only when something is wrong."""


def main() -> None:
    """Check everything; exits with 1 and says what is wrong if anything is."""
    work = Path(sys.argv[1]) / "monitoring"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    rules = DEPLOY / "prometheus"
    told("promtool", "check", "rules", rules / "rules.yml")
    told("promtool", "check", "config", rules / "prometheus.yml")
    told("promtool", "test", "rules", rules / "rules_test.yml")
    engine_port, prometheus_port = free_ports(2)
    with embedded_server() as redis, engine(work, engine_port, redis.url):
        scrape = f"http://127.0.0.1:{engine_port}/metrics"
        until(lambda: b"yiwang_alerts_total{" in fetched(scrape), "the engine raises alerts")
        with prometheus(work, engine_port, prometheus_port):
            server = f"http://127.0.0.1:{prometheus_port}"
            until(lambda: b"is Ready" in fetched(f"{server}/-/ready"), "Prometheus is ready")
            api = f"{server}/api/v1/query"
            until(lambda: results(api, "count(yiwang_up)"), "Prometheus has scraped the engine")
            until(lambda: results(api, "sum(rate(yiwang_readings_total[5m])) > 0"), "readings pass")
            lint(fetched(scrape))
            faults = [fault for query in (*board_queries(), *rule_queries()) if (fault := tried(api, query))]
    if faults:
        sys.exit("\n".join(faults))
    count = len([*board_queries(), *rule_queries()])
    sys.stdout.write(f"{count} queries answered from a running engine; rules tested, metrics linted\n")


def told(*command: object) -> None:
    """Run a command that must work."""
    subprocess.run([str(part) for part in command], check=True)


@contextmanager
def engine(work: Path, port: int, redis: str) -> Iterator[None]:
    """An engine that reads the sample city at its pace."""
    (work / "readings.jsonl").write_bytes(gzip.decompress((SAMPLE / "readings.jsonl.gz").read_bytes()))
    arguments = [
        f"--readings={work / 'readings.jsonl'}",
        f"--events={SAMPLE / 'events.jsonl'}",
        f"--sensors={SAMPLE / 'sensors.csv'}",
        f"--areas={SAMPLE / 'areas.geojson'}",
        f"--out={work / 'out'}",
        f"--recovery={work / 'state'}",
        f"--history={work / 'history'}",
        f"--prometheus={port}",
        f"--redis={redis}",
        f"--pace={PACE}",
        "--feedback",
        f"{work / 'feedback.jsonl'}",
        "--clock=source",
        "--snapshot-every=2",
        "--batch-size=200",
    ]
    command = [sys.executable, "-c", "from flows.cli import main; main()", "run", *arguments]
    with subprocess.Popen(command, cwd=ROOT) as running:
        try:
            yield
            running.terminate()
            if running.wait(60):
                sys.exit(f"the engine ended with {running.returncode}")
        finally:
            running.kill()


@contextmanager
def prometheus(work: Path, engine_port: int, port: int) -> Iterator[None]:
    """A Prometheus with the deployed configuration, but for target and interval."""
    folder = work / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", folder)
    config = folder / "prometheus.yml"
    text = config.read_text(encoding="utf-8")
    text = text.replace("engine:9464", f"127.0.0.1:{engine_port}").replace("_interval: 15s", "_interval: 1s")
    config.write_text(text, encoding="utf-8")
    command = [
        shutil.which("prometheus") or "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={work / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with subprocess.Popen(command) as running:
        try:
            yield
        finally:
            running.terminate()


def fetched(url: str) -> bytes:
    """What is there, nothing if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as said:  # noqa: S310 - of this machine
            found: bytes = said.read()
            return found
    except urllib.error.HTTPError as error:
        return error.read()
    except OSError:
        return b""


def until(ready: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(f"waited in vain until {what}")
        time.sleep(0.2)


def answer(api: str, expr: str) -> dict[str, object]:
    """What Prometheus says to a query; nothing while it starts, when it refuses in plain text."""
    said = fetched(f"{api}?{urllib.parse.urlencode({'query': expr})}")
    try:
        found: dict[str, object] = json.loads(said)
    except ValueError:
        return {}
    return found


def results(api: str, expr: str) -> list[object]:
    """The samples of a query."""
    data = answer(api, expr).get("data")
    return data["result"] if isinstance(data, dict) else []


def tried(api: str, query: Query) -> str:
    """What is wrong with a query, nothing if it has an answer."""
    found = answer(api, query.expr)
    if found.get("status") != "success":
        return f"{query.place}: {query.expr}: {found.get('error', 'no answer')}"
    if any(part in query.expr for part in MAY_BE_EMPTY):
        return ""
    for _ in range(20):
        if results(api, query.expr):
            return ""
        time.sleep(0.5)
    return f"{query.place}: {query.expr}: no sample"


def lint(scrape: bytes) -> None:
    """Hold a scrape against the conventions of Prometheus."""
    promtool = shutil.which("promtool") or "promtool"
    command = [promtool, "check", "metrics"]
    checked = subprocess.run(command, input=scrape, capture_output=True, check=False)
    if checked.returncode or checked.stderr:
        sys.exit(f"promtool check metrics: {checked.stderr.decode()}{checked.stdout.decode()}")


if __name__ == "__main__":
    main()
