"""A progress bar on stderr: bytes of the input files read, of all there are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def reading_bar(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar for ``total`` bytes while the block runs; the yielded function advances it by some bytes.

    >>> with reading_bar(100, shown=False) as advance:
    ...     advance(60)
    """
    columns = (
        TextColumn("reading"),
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown)
    with bar:
        task = bar.add_task("reading", total=total)
        yield lambda amount: bar.advance(task, amount)
