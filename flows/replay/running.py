"""A dataflow that runs: in this process, alone or as one of several, with recovery points or without."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from flows.recovery.recovery_folder import RecoveryFolder


def run_flow(
    flow: Dataflow,
    recovery: Path | None,
    snapshot_every: float,
    process: int | None = None,
    ports: list[int] | None = None,
) -> None:
    """Run the flow to its end; a recovery point every ``snapshot_every`` seconds if there is a folder."""
    config = None
    if recovery is not None:
        config = RecoveryConfig(str(RecoveryFolder(recovery).engine))  # type: ignore[no-untyped-call]
    with _rare_collections():
        cli_main(  # type: ignore[no-untyped-call]
            flow,
            process_id=process,
            addresses=None if ports is None else [f"127.0.0.1:{port}" for port in ports],
            epoch_interval=timedelta(seconds=snapshot_every),
            recovery_config=config,
        )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Search for reference cycles rarely: the flow makes none, and its long-lived state is large."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
