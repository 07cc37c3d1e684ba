"""``yiwang demo``: a rainstorm over a simulated city, watched live, with departments that take its tickets.

options ─▶ stage (Redis, city, engine) ─▶ loop: departments work, the view is drawn ─▶ what came of it
"""

from __future__ import annotations

import math
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Never
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

if TYPE_CHECKING:
    from flows.demo.departments import Departments
    from flows.demo.stage import DemoOptions, Stage
    from flows.demo.state import DemoState, Watcher
    from flows.demo.view import DemoView

EPILOG = """Examples:

  yiwang demo

  yiwang demo --for 90s --no-ui

  yiwang demo --for forever --sensors 5000 --speed 30"""

ZONE = "Asia/Shanghai"

_LOOK_S = 1.0
_STEP_S = 0.1
_LINE_S = 10.0

Show = Callable[["DemoState", float], None]
"""Draws a state; the second argument is the seconds left."""


def demo(
    length: Annotated[str, typer.Option("--for", metavar="120s|forever", help="How long it lasts.")] = "120s",
    no_ui: Annotated[
        bool, typer.Option("--no-ui", help="A line every ten seconds; the default without a terminal.")
    ] = False,
    sensors: Annotated[int, typer.Option(min=500, metavar="N", help="Sensors of the city.")] = 3000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The city's dice.")] = 1,
    speed: Annotated[float, typer.Option(min=1, max=600, metavar="N", help="Times the city's pace.")] = 60.0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for all files; default: a new one in /tmp.")
    ] = None,
) -> None:
    """Simulate a city in a rainstorm, compute it live, and let departments work on its incidents.

    Everything is real and on this machine: a Redis server, the engine, a city at sixty times its pace.
    """
    from flows.demo.stage import DemoError, DemoOptions

    folder = out or Path(tempfile.mkdtemp(prefix="yiwang-demo-"))
    options = DemoOptions(folder=folder, seconds=_seconds(length), sensors=sensors, seed=seed, speed=speed)
    console = Console()
    if no_ui or not console.is_terminal:
        console = Console(no_color=True, highlight=False, width=max(console.width, 120))
    try:
        _play(options, console, live=console.is_terminal and not no_ui)
    except (DemoError, OSError) as error:
        _fail(error)


def _seconds(length: str) -> float | None:
    from indicators.durations import milliseconds

    if length == "forever":
        return None
    try:
        return milliseconds(length) / 1000
    except ValueError as error:
        message = f"found {length!r}; give a time such as 120s, or forever"
        raise typer.BadParameter(message, param_hint="--for") from error


def _play(options: DemoOptions, console: Console, *, live: bool) -> None:
    from flows.demo.report import areas_of, report, where_to_look
    from flows.demo.stage import staged
    from flows.demo.state import Watcher
    from flows.demo.view import DemoView
    from indicators.catalogue import Catalogue

    catalogue = Catalogue.load()
    done: dict[str, int] = {}
    with _interruptible(), ExitStack() as stack:
        console.print("starting a city, a Redis server and the engine …", style="dim")
        stage = stack.enter_context(staged(options))
        names, city = areas_of(options.folder / "city" / "areas.geojson")
        console.print(where_to_look(stage), soft_wrap=True, markup=False, highlight=False)
        watcher = Watcher(stage.redis, stage.metrics, catalogue.indicators, names, city)
        stack.callback(watcher.close)
        view = DemoView({i.id: i for i in catalogue.indicators}, names, ZoneInfo(ZONE), options.speed)
        departments = _departments(stage, watcher, options.seed)
        if departments is not None:
            stack.callback(departments.close)
        with suppress(KeyboardInterrupt), _shown(view, departments, console, live=live) as show:
            _loop(stage, watcher, departments, show)
        done |= departments.done if departments else {}
        console.print("stopping …", style="dim")
    console.print(report(stage, done, names, catalogue.indicators, ZONE))


def _departments(stage: Stage, watcher: Watcher, seed: int) -> Departments | None:
    from flows.demo.departments import Departments

    return None if stage.redis is None else Departments(stage.redis, watcher.watermark, seed)


def _loop(stage: Stage, watcher: Watcher, departments: Departments | None, show: Show) -> None:
    begin = now = monotonic()
    seconds = stage.options.seconds or math.inf
    looked = -math.inf
    while now - begin < seconds and stage.city.running:
        stage.check()
        if departments is not None:
            departments.work(now)
        if now - looked >= _LOOK_S:
            show(watcher.look(), seconds - (now - begin))
            looked = now
        sleep(_STEP_S)
        now = monotonic()
    stage.check()


@contextmanager
def _shown(
    view: DemoView, departments: Departments | None, console: Console, *, live: bool
) -> Iterator[Show]:
    """How states are drawn: a live screen, or a line every ten seconds."""
    if live:
        from rich.live import Live

        with Live(console=console, screen=True, auto_refresh=False) as screen:

            def draw(state: DemoState, left: float) -> None:
                rest = "" if math.isinf(left) else f"剩余 left {left:,.0f} s"
                deeds = departments.deeds if departments else ()
                screen.update(view.screen(state, deeds, rest), refresh=True)

            yield draw
        return
    told = -math.inf

    def tell(state: DemoState, left: float) -> None:
        nonlocal told
        del left
        if monotonic() - told >= _LINE_S:
            told = monotonic()
            done = departments.done if departments else {}
            console.print(view.line(state, done), soft_wrap=True)

    yield tell


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: in order."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(error: BaseException) -> Never:
    Console(file=sys.stderr).print(f"Error: {error}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1) from error
