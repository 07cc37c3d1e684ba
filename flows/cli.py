"""The command ``yiwang``: one group or command per file of this package."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from flows import (
    demo_command,
    detect_command,
    doctor_command,
    explain_command,
    history_command,
    import_command,
    replay_command,
    run_command,
    score_command,
    simulate_command,
)
from flows.catalogue_command import app as catalogue
from flows.config_command import app as config
from flows.dispatch_command import app as dispatch
from flows.dlq_command import app as dlq
from flows.grid_command import app as grid

app = typer.Typer(
    name="yiwang",
    help="City operations as streams: readings and cases in, rolling indicators and alerts out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", epilog=demo_command.EPILOG)(demo_command.demo)
app.command("replay", epilog=replay_command.EPILOG)(replay_command.replay)
app.command("simulate", epilog=simulate_command.EPILOG)(simulate_command.simulate)
app.command("score", epilog=score_command.EPILOG)(score_command.score)
app.command("run", epilog=run_command.EPILOG)(run_command.run)
app.command("doctor", epilog=doctor_command.EPILOG)(doctor_command.doctor)
app.command("explain", epilog=explain_command.EPILOG)(explain_command.explain)
app.command("history", cls=history_command.PlotCommand, epilog=history_command.EPILOG)(
    history_command.history
)
app.command("detect", epilog=detect_command.EPILOG)(detect_command.detect)
app.command("import", epilog=import_command.EPILOG)(import_command.import_records)
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
