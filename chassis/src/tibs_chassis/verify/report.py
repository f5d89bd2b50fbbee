"""What a comparison found, for people and for machines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, computed_field
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tibs_chassis.verify.rules import Difference

Part = Literal["mirror", "outbox", "reader"]

_TITLES: Mapping[Part, str] = {
    "mirror": "What one region holds of what the other wrote",
    "outbox": "What the services wrote, and what is on their topics",
    "reader": "What the readers took in",
}
_BAD = {"behind", "missing", "differing", "strangers", "lost", "unknown", "not applied", "gone"}


class Line(BaseModel):
    """Figures of one topic in one direction."""

    part: Part
    where: str
    topic: str
    figures: dict[str, int]


class Finding(BaseModel):
    """One difference. `kind` is stable for machines, the sentence is for people."""

    kind: str
    where: str
    topic: str
    aggregate: str
    subject: str
    sequences: list[int]
    sentence: str

    @classmethod
    def of(cls, difference: Difference) -> "Finding":
        return cls(
            kind=difference.kind,
            where=difference.where,
            topic=difference.topic,
            aggregate=difference.subject.aggregate,
            subject=difference.subject.id,
            sequences=list(difference.sequences),
            sentence=difference.sentence,
        )


class Report(BaseModel):
    """All that was compared. `notes` say what was left out of the comparison and why; they are no differences."""

    lines: list[Line] = []
    differences: list[Finding] = []
    notes: list[str] = []

    @computed_field  # type: ignore[prop-decorator]  # mypy allows nothing above a property
    @property
    def equal(self) -> bool:
        return not self.differences

    def found(self, differences: Iterable[Difference]) -> None:
        self.differences += [Finding.of(one) for one in differences]

    def __add__(self, other: "Report") -> "Report":
        return Report(
            lines=self.lines + other.lines,
            differences=self.differences + other.differences,
            notes=self.notes + [note for note in other.notes if note not in self.notes],
        )


def show(report: Report, console: Console, *, limit: int) -> None:
    """A table for each part, then a sentence for each difference, `limit` of them at most."""
    for part, title in _TITLES.items():
        lines = [line for line in report.lines if line.part == part]
        if lines:
            console.print(f"\n[bold]{title}[/]")
            console.print(_table(lines))
    for note in report.notes:
        console.print(f"\n[dim]{escape(note)}[/]")
    console.print()
    for difference in report.differences[:limit]:
        console.print(f"[red]•[/] {escape(difference.sentence)}")
    count = len(report.differences)
    if count > limit:
        console.print(f"… and {count - limit} more; --limit {count} shows all, --json too.")
    if report.equal:
        console.print("[green]✓[/] No difference.")
    else:
        console.print(f"\n{count} difference{'' if count == 1 else 's'}.")


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("where", no_wrap=True)
    table.add_column("topic", no_wrap=True)
    names = list(lines[0].figures)
    for name in names:
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(line.where, line.topic, *(_figure(name, line.figures[name]) for name in names))
    return table


def _figure(name: str, value: int) -> str:
    return f"[red]{value}[/]" if value and name in _BAD else str(value)
