"""Gives every reader of what comes from outside many wrong inputs, and says what came of it.

    python -m tests.fuzz.fuzz --inputs 200000 --jobs 2
    python -m tests.fuzz.fuzz --targets formula,areas --inputs 5000 --seed 8
    python -m tests.fuzz.fuzz --again tests/fuzz/corpus/formula/power

Exit codes: 0 nothing was found, 1 something was, 2 wrong use. What was found lies in ``--found`` afterwards;
what has been mended belongs into ``tests/fuzz/corpus/TARGET``, from where every later run begins.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.fuzz_runs import TARGETS, prepare, watched
from tests.fuzz.fuzz_worker import Outcome


def table(outcomes: list[Outcome]) -> str:
    """Outcomes as a Markdown table."""
    lines = [
        "| target | inputs | inputs/s | accepted | outcomes | slowest batch | growth | peak | faults |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in outcomes:
        taken = sum(
            n for word, n in one.words.items() if "accepted" in word or "block" in word or "True" in word
        )
        lines.append(
            f"| {one.target} | {one.inputs:,} | {one.inputs / max(one.seconds, 1e-9):,.0f} "
            f"| {taken / max(one.inputs, 1):.0%} | {len(one.words)} | {one.slowest * 1e3:.0f} ms "
            f"| {one.growth / 2**20:+.1f} MB | {one.peak >> 20} MB | {len(one.faults)} |"
        )
    inputs, faults = sum(one.inputs for one in outcomes), sum(len(one.faults) for one in outcomes)
    lines.append(f"| all | {inputs:,} | | | | | | | {faults} |")
    return "\n".join(lines)


def keep(outcome: Outcome, folder: Path) -> list[str]:
    """Write the inputs of faults to files; a line for each."""
    lines = []
    for fault, text in outcome.faults:
        path = folder / outcome.target / hashlib.sha256(text).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        lines.append(f"{outcome.target}: {fault}: {path}")
    return lines


def _again(path: Path) -> int:
    target = TARGETS[path.parent.name]
    print(f"{target.name}: {target.run([path.read_bytes()])}")  # noqa: T201
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=200_000, help="inputs of all targets together")
    parser.add_argument("--seed", type=int, default=1, help="what the inputs follow from")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--targets", default="", help="names with commas between, all by default")
    parser.add_argument(
        "--found", type=Path, default=Path("fuzz-found"), help="where inputs of faults are kept"
    )
    parser.add_argument("--report", type=Path, help="a Markdown file to write the table to")
    parser.add_argument(
        "--again", type=Path, help="run one file of a corpus, in a folder with the target's name"
    )
    options = parser.parse_args(arguments)
    unknown = {name for name in options.targets.split(",") if name} - TARGETS.keys()
    if unknown:
        parser.error(f"there is no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run it."""
    options = _options(arguments)
    if options.again:
        return _again(options.again)
    names = [name for name in options.targets.split(",") if name] or list(TARGETS)
    whole = sum(TARGETS[name].weight for name in names)
    shares = {name: int(options.inputs * TARGETS[name].weight / whole) + 1 for name in names}
    prepare()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(watched, name, shares[name], options.seed, Path(folder)) for name in names]
        outcomes = [job.result() for job in jobs]
    shown = table(outcomes)
    print(shown)  # noqa: T201
    if options.report:
        options.report.write_text(shown + "\n", encoding="utf-8")
    faults = [line for outcome in outcomes for line in keep(outcome, options.found)]
    print(f"seed {options.seed}, {time.monotonic() - begun:.0f} s, {len(faults)} faults", file=sys.stderr)  # noqa: T201
    print(*faults, sep="\n", file=sys.stderr)  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
