"""What a person sees while a stack starts, and what is printed of one that runs."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tibs_devstack.state import StackState

_MARKS = {"ready": "[green]✓[/]", "crashed": "[red]![/]", "down": "[dim]·[/]"}


class Screen:
    """Sentences and steps: a table that moves on a terminal, plain lines anywhere else."""

    def __init__(self, *, to_stderr: bool = False) -> None:
        self.console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._moving = self.console.is_terminal
        self._steps: dict[str, tuple[str, str]] = {}
        self._began = time.monotonic()
        self._since: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._live: Live | None = None

    def __enter__(self) -> "Screen":
        if self._moving:
            self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, sentence: str) -> None:
        self.console.print(escape(sentence))

    def progress(self, name: str, condition: str, more: str) -> None:
        """One step's condition: starting, ready, crashed, down."""
        now = time.monotonic()
        if condition == "starting":
            self._since[name] = now
        self._took[name] = now - self._since.get(name, now)
        before = self._steps.get(name)
        self._steps[name] = (condition, more)
        if self._live is None and (before is None or before[0] != condition) and condition not in ("starting", "down"):
            self.console.print(f"{now - self._began:6.1f} s  {name}: {condition}{f' ({more})' if more else ''}")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, (condition, more) in self._steps.items():
            turning = condition == "starting"
            took = time.monotonic() - self._since[name] if turning else self._took[name]
            mark = Spinner("dots") if turning else Text.from_markup(_MARKS.get(condition, " "))
            table.add_row(mark, name, f"{took:.1f} s", Text(more, style="dim"))
        return table


def print_addresses(state: StackState, console: Console) -> None:
    """Where everything is and who can sign in."""
    for code, region in state.regions.items():
        console.print(f"\n[bold]{escape(region.name)}[/] ({code})  {region.url}")
        console.print("  sign in as " + "; ".join(escape(person.name) for person in region.people))
    mail = state.parts.get("mail")
    if mail is not None:
        console.print(f"\n[bold]Mail[/] of both sides, caught here  {mail.page}")
    for name, part in state.parts.items():
        if name.endswith(("kafka", "postgres")):
            versions = ", ".join(f"{what} {version}" for what, version in part.versions.items())
            whose = f" of {name.split()[0]}" if " " in name else ""
            console.print(f"[bold]{versions or name}[/]{whose} ({part.origin})  {part.address}")


def print_status(state: StackState, *, running: bool, console: Console) -> None:
    """A table of all processes."""
    if not running:
        console.print("No stack is running here.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("what", "condition", "pid", "restarts", "address"):
        table.add_column(column)
    for name, part in state.parts.items():
        table.add_row(name, part.condition, str(part.pid or ""), "", part.page or part.address)
    for code, region in state.regions.items():
        for service, one in region.services.items():
            table.add_row(f"{code} {service}", one.condition, str(one.pid or ""), str(one.restarts or ""), one.url)
    console.print(table)
    ready = f"ready after {state.seconds} s" if state.ready else "not ready yet"
    console.print(f"\nSupervisor {state.pid}, started {state.started_at}, {ready}.")


def is_terminal() -> bool:
    return sys.stdout.isatty()
