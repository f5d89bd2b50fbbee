"""What a measurement is, and how it is shown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured claim. `floor` is the same thing without us, measured in the same run; `ratio` is value by floor."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    aim: str = ""
    spread: tuple[float, float] | None = None
    """The least and the greatest of the runs."""

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    def as_dict(self) -> dict[str, Any]:
        rounded = {
            "value": round(self.value, 2),
            "unit": self.unit,
            "floor": None if self.floor is None else round(self.floor, 2),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
        }
        if self.spread is not None:
            rounded["spread"] = [round(one, 2) for one in self.spread]
        return rounded


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median_of_pairs(name: str, pairs: Sequence[tuple[float, float]], *, unit: str, aim: str) -> Figure:
    """From runs of us and of the floor in turn: the medians, with our spread."""
    ours, floors = [one for one, _ in pairs], [floor for _, floor in pairs]
    return Figure(name, statistics.median(ours), unit, statistics.median(floors), aim, spread=(min(ours), max(ours)))


def table(figures: Sequence[Figure]) -> str:
    """For people."""
    lines = [f"{'figure':44} {'value':>10} {'floor':>10} {'ratio':>7}  unit        aim"]
    for one in figures:
        floor = "" if one.floor is None else f"{one.floor:,.1f}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        lines.append(f"{one.name:44} {one.value:>10,.1f} {floor:>10} {ratio:>7}  {one.unit:10}  {one.aim}")
    return "\n".join(lines)
