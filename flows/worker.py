"""One process of a replay: ``python -m flows.worker OPTIONS.json NUMBER``."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.replay import flow_of, options_from, ports_of, run_flow


def main() -> None:
    """Run this process's share of the flow."""
    options = options_from(Path(sys.argv[1]))
    run_flow(flow_of(options, lambda _: None), options, int(sys.argv[2]), ports_of(options))


if __name__ == "__main__":
    main()
