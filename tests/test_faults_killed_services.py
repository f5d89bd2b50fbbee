"""Services are killed at every point of the main job and started again: it completes, and everything happened once."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from faults.ledger import Ledger
from faults.patient import PatientVisitor

from tibs_chassis.testing import eventually
from tibs_devstack.stack import Stack
from tibs_devstack.story import Story, Told

pytestmark = pytest.mark.system

HOME, AWAY = "pl84", "fi1c"
# Neighbours are of different regions and of different kinds, so that two that are down at once do not spare each other.
ROTATION = [
    (HOME, "registry"),
    (AWAY, "cases"),
    (HOME, "notify"),
    (AWAY, "matching"),
    (HOME, "cases"),
    (AWAY, "registry"),
    (HOME, "matching"),
    (AWAY, "notify"),
]


class Killer:
    """Kills what is next in its row after every step of a story; what was killed before is started meanwhile."""

    def __init__(self, stack: Stack, victims: Iterator[tuple[str, str]]) -> None:
        self._stack = stack
        self._victims = victims
        self._loop = asyncio.get_running_loop()
        self._starts: dict[tuple[str, str], Future[None]] = {}
        self.killed: Counter[tuple[str, str]] = Counter()

    def say(self, line: str) -> None:
        """As the story calls it, from its thread."""
        if not line.startswith("   ✓"):
            return
        victim = next(self._victims)
        if (start := self._starts.get(victim)) is not None:
            start.result(timeout=120)
        self._here(self._stack.kill(*victim)).result(timeout=30)
        self.killed[victim] += 1
        self._starts[victim] = self._here(self._stack.start(*victim))

    def _here(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def mend(self) -> None:
        """Returns when everything runs again."""
        await asyncio.gather(*(asyncio.wrap_future(start) for start in self._starts.values()))


async def _told(stack: Stack, *, say: Callable[[str], None], visitor: Callable[..., PatientVisitor]) -> Told:
    story = Story(folder=stack.folder, state=stack.state, say=say, visitor=visitor)
    return await asyncio.to_thread(story.tell)


async def _all_mailed(ledger: Ledger) -> int:
    """How many mails the regions' notify services have sent, once none is on its way."""
    for region in (HOME, AWAY):
        await eventually(
            partial(_unsent, ledger, region), until=lambda left: not left, within=60, what=f"all mails of {region}"
        )
    return sum(ledger.deliveries(region)["sent"] for region in (HOME, AWAY))


async def _happened_once(ledger: Ledger, told: Told, *, sent_before: int, mails_before: Counter[str]) -> None:
    """The effects of a story, counted in both regions."""
    await eventually(ledger.waiting, until=lambda left: not left, within=60, what="empty outboxes")
    [(introduction,)] = ledger.rows(HOME, "cases", "SELECT id::text FROM introduction WHERE case_id = %s", [told.case])
    assert ledger.count(HOME, "cases", "brokerage_case WHERE id = %s", [told.case]) == 1
    link = f"/introductions/{introduction}"
    for region in (HOME, AWAY):
        await eventually(
            partial(_state, ledger, region, introduction),
            until=lambda states: states == [("introduced",)],
            within=60,
            what=f"one half in {region}, introduced",
        )
    for region in (HOME, AWAY):
        facts = Counter(event.type for event in ledger.told(region, "cases") if event.subject == introduction)
        assert facts["eu.tibs.contacts.disclosed.v1"] == 1
        assert facts["eu.tibs.introduction.completed.v1"] == 1
        assert facts["eu.tibs.introduction.requested.v1"] == (region == HOME)
    of_the_case = Counter(event.type for event in ledger.told(HOME, "cases") if event.subject == told.case)
    assert of_the_case["eu.tibs.case.opened.v1"] == 1
    assert of_the_case["eu.tibs.case.introduced.v1"] == 1
    entries = Counter(
        ledger.rows(HOME, "cases", "SELECT kind FROM timeline_entry WHERE introduction_id = %s", [introduction])
    )
    assert entries[("introduced",)] == 1
    assert entries[("introduction_requested",)] == 1
    for region in (HOME, AWAY):
        notices = ledger.notices(region, link)
        assert "introduction_completed" in {kind for _, kind in notices}
        assert set(notices.values()) == {1}
    sent = await _all_mailed(ledger) - sent_before
    # A mail whose sender died between the server's yes and its own note of it comes again, under the same id.
    assert len(set(await ledger.message_ids()) - set(mails_before)) == sent
    assert not ledger.dead()
    assert not await ledger.broken_audit_logs()


async def _state(ledger: Ledger, region: str, introduction: str) -> list[tuple[str]]:
    return ledger.rows(region, "cases", "SELECT state FROM introduction WHERE id = %s", [introduction])  # type: ignore[return-value]


async def _unsent(ledger: Ledger, region: str) -> dict[str, int]:
    return {state: count for state, count in ledger.deliveries(region).items() if state != "sent"}


async def test_the_story_completes_while_one_service_after_the_other_is_killed(stack: Stack, ledger: Ledger) -> None:
    sent, mails = await _all_mailed(ledger), await ledger.message_ids()
    killer = Killer(stack, itertools.cycle(ROTATION))
    try:
        told = await _told(stack, say=killer.say, visitor=PatientVisitor)
    finally:
        await killer.mend()

    assert told.story == "ok"
    assert set(killer.killed) == set(ROTATION)
    await _happened_once(ledger, told, sent_before=sent, mails_before=mails)


async def test_every_form_sent_twice_is_done_once(stack: Stack, ledger: Ledger) -> None:
    sent, mails = await _all_mailed(ledger), await ledger.message_ids()

    told = await _told(stack, say=lambda _: None, visitor=partial(PatientVisitor, twice=True))

    assert told.story == "ok"
    await _happened_once(ledger, told, sent_before=sent, mails_before=mails)
