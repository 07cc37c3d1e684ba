"""The command ``yiwang``: one group or command per file of this package."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from flows.commands import (
    demo,
    detect,
    doctor,
    explain,
    history,
    importing,
    replay,
    run,
    score,
    simulate,
)
from flows.commands.catalogue import app as catalogue
from flows.commands.config import app as config
from flows.commands.dispatch import app as dispatch
from flows.commands.dlq import app as dlq
from flows.commands.grid import app as grid

app = typer.Typer(
    name="yiwang",
    help="City operations as streams: readings and cases in, rolling indicators and alerts out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", epilog=demo.EPILOG)(demo.demo)
app.command("replay", epilog=replay.EPILOG)(replay.replay)
app.command("simulate", epilog=simulate.EPILOG)(simulate.simulate)
app.command("score", epilog=score.EPILOG)(score.score)
app.command("run", epilog=run.EPILOG)(run.run)
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
app.command("explain", epilog=explain.EPILOG)(explain.explain)
app.command("history", cls=history.PlotCommand, epilog=history.EPILOG)(history.history)
app.command("detect", epilog=detect.EPILOG)(detect.detect)
app.command("import", epilog=importing.EPILOG)(importing.import_records)
app.add_typer(catalogue, name="catalogue")
app.add_typer(config, name="config")
app.add_typer(grid, name="grid")
app.add_typer(dispatch, name="dispatch")
app.add_typer(dlq, name="dlq")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"yiwang {version('yiwang')}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """City operations as streams: readings and cases in, rolling indicators and alerts out."""


def main() -> None:
    """Run the command line; exits with 0 for done, 1 for failed work, 2 for wrong use."""
    # A failing step is explained by its own error; the engine's native stack would bury it.
    os.environ.setdefault("RUST_BACKTRACE", "0")
    app()
