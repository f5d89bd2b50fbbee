"""After a backup was restored: what counts versions here, and what must not be given out again."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tibs_cases.tables import RECEIPTS
from tibs_chassis.node import Node
from tibs_chassis.restored.reconcile import Versions
from tibs_chassis.restored.rules import Beyond
from tibs_contracts.events import CaseOpened

RECEIPTS_PASSED_OVER = 10
"""For each forgotten case: intakes that failed had drawn numbers too, so one would not be enough to be sure."""


async def keep_receipts(session: AsyncSession, node: Node, beyond: Beyond) -> bool:
    """Passes over the receipts that forgotten cases may have got; their clients hold them.

    Nothing is told again: these are facts between people, and a person decides what becomes of the forgotten ones.
    """
    if beyond.version is None and any(one.type == CaseOpened.type for one in beyond.told):
        draw = text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count)")
        await session.execute(draw, {"sequence": RECEIPTS.name, "count": RECEIPTS_PASSED_OVER})
    return False


# Contact data travel as a fact of the introduction, by its numbers.
VERSIONS = Versions(
    tables={
        "case": "brokerage_case",
        "introduction": "introduction",
        "contacts": "introduction",
        "promise": "promise",
    },
    tell_again=keep_receipts,
)
