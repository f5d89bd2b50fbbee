"""Broken, unknown and unbelievable events are put aside with their reason; what stands behind them is applied."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from faults.ledger import Ledger

from tibs_chassis import clock
from tibs_chassis.relay import producer_for
from tibs_chassis.testing import eventually
from tibs_contracts.codes import WithdrawalReason
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import Event, ProfilePublished, ProfileWithdrawn
from tibs_contracts.ids import new_id
from tibs_contracts.mothers import published
from tibs_contracts.signatures import HEADER, Signer
from tibs_devstack.stack import Stack

pytestmark = pytest.mark.system

HOME, AWAY = "pl84", "fi1c"
TOPIC = f"tibs.{AWAY}.registry.v1"
# In each of the two regions: the directory, the index, the profiles known to cases.
READERS = (("registry", "directory"), ("matching", "index"), ("cases", "known-profiles"))
Headers = list[tuple[str, bytes | None]]


class Letter(NamedTuple):
    """A dead letter, by what is needed of it."""

    id: str
    reason: str
    place: str


def _signed(stack: Stack, headers: Headers, value: bytes | None, *, region: str = AWAY, topic: str = TOPIC) -> Headers:
    """With the signature of a region."""
    key = json.loads((stack.folder.path / "keys" / region / "signing.jwk").read_text(encoding="utf-8"))
    return [*headers, (HEADER, Signer(key).sign(topic=topic, headers=headers, value=value).encode())]


def _headers(event: Event, *, subject: str, sequence: int = 1, **other: bytes | None) -> Headers:
    """As a service of Kymenlaakso would write them, but for what `other` puts in their place.

    Not as its registry: that would hold itself back, since it finds events of its own that it never wrote.
    """
    envelope = Envelope(
        id=new_id(),
        source=f"/regions/{AWAY}/laboratory",
        type=event.type,
        subject=subject,
        time=clock.now(),
        sequence=sequence,
        correlation_id=new_id(),
    )
    return [(name, other.get(name, value)) for name, value in envelope.headers()]


def _withdrawn(event: ProfilePublished) -> ProfileWithdrawn:
    return ProfileWithdrawn(
        profile_id=event.profile_id,
        reference=event.reference,
        reason=WithdrawalReason.WITHDRAWN,
        withdrawn_at=clock.now(),
    )


class Line:
    """Writes to the topic of Kymenlaakso's registry past the registry, always into one partition, each with a key."""

    def __init__(self, producer: AIOKafkaProducer, stack: Stack) -> None:
        self._producer = producer
        self._stack = stack

    async def send(self, value: bytes, headers: Headers, *, key: str) -> None:
        await self._producer.send_and_wait(TOPIC, value, key=key.encode(), headers=headers, partition=3)

    async def tell(self, event: Event, *, subject: str, sequence: int = 1) -> None:
        value, headers = event.write(), _headers(event, subject=subject, sequence=sequence)
        await self.send(value, _signed(self._stack, headers, value), key=subject)


@pytest.fixture
async def line(stack: Stack) -> AsyncIterator[Line]:
    producer = producer_for(stack.kafka(AWAY).address, client_id="broken-events")
    await producer.start()
    yield Line(producer, stack)
    await producer.stop()


async def dlq(stack: Stack, region: str, service: str, *arguments: str) -> tuple[int, str]:
    """`tibs dlq`, as an operator types it: exit code and what it says."""
    where = ("--region", region, "--service", service, "--state-dir", str(stack.folder.path))
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("tibs")), "dlq", *where, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def _counted(
    stack: Stack, region: str, service: str, consumer: str, *, metric: str = "dead_letters", more: str = ""
) -> float:
    """The metric of dead letters, or of quarantined records."""
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{stack.url(region, service).replace('localhost', '127.0.0.1')}/metrics")).text
    name = f'tibs_{metric}_total{{consumer="{consumer}"{more}}}'
    return next((float(one.split()[-1]) for one in text.splitlines() if one.startswith(name)), 0.0)


async def _letters(ledger: Ledger, region: str, service: str, keys: Collection[str]) -> dict[str, Letter]:
    """What became of records, by their keys: a record's place in a mirror is not that at its origin."""
    found = ledger.rows(
        region,
        service,
        "SELECT key, id::text, reason, format('%%s/%%s@%%s', topic, partition, \"offset\") FROM dead_letter"
        " WHERE state = 'open' AND topic = %s",
        [TOPIC],
    )
    return {key.decode(): Letter(*letter) for key, *letter in found if key.decode() in keys}


async def _known(ledger: Ledger, region: str, profile: str) -> set[str]:
    """Which services of a region hold a profile."""
    tables = {
        "registry": "directory_profile WHERE profile_id = %s",
        "matching": "indexed_profile WHERE profile_id = %s",
        "cases": "known_profile WHERE withdrawn_at IS NULL AND id = %s",
    }
    return {service for service, table in tables.items() if ledger.count(region, service, table, [profile])}


def _broken() -> list[tuple[str, bytes, Callable[[str], Headers]]]:
    """Reason, value and headers of what should not be on the topic."""
    good = published()
    huge = b'{"profile_id": "' + b"1" * 900_000 + b'"}'
    own = partial(_headers, good)
    return [
        ("do not fit at /", b'{"profile_id": "17', lambda subject: own(subject=subject)),
        ("do not fit at /profile_id", huge, lambda subject: own(subject=subject)),
        (
            "does not know",
            good.write(),
            lambda subject: own(subject=subject, ce_type=b"eu.tibs.profile.sold.v9"),
        ),
        ("ce_type", good.write(), lambda subject: own(subject=subject, ce_type=b"\xff\xfe\x00")),
        ("ce_id", good.write(), lambda subject: own(subject=subject, ce_id=None)),
        ("ce_", good.write(), lambda subject: []),
    ]


async def test_broken_events_are_put_aside_and_the_rest_flows(stack: Stack, ledger: Ledger, line: Line) -> None:
    before = await _counted(stack, HOME, "registry", "directory")
    wrong: dict[str, str] = {}
    for reason, value, headers in _broken():
        subject = str(new_id())
        held = headers(subject)
        await line.send(value, _signed(stack, held, value) if held else held, key=subject)
        wrong[subject] = reason
    event = published(title="Seeks what stands behind the broken ones")
    profile = str(event.profile_id)

    await line.tell(event, subject=profile)

    for region in (HOME, AWAY):
        await eventually(
            partial(_known, ledger, region, profile), until=lambda held: len(held) == 3, what="the good profile"
        )
        for service, _ in READERS:
            put_aside = await _letters(ledger, region, service, wrong)
            assert set(put_aside) == set(wrong), (region, service)
            for key, letter in put_aside.items():
                assert wrong[key] in letter.reason
    assert await _counted(stack, HOME, "registry", "directory") == before + len(wrong)

    await _works_off(stack, ledger, wrong)

    withdrawn = _withdrawn(event)
    await line.tell(withdrawn, subject=profile, sequence=2)
    for region in (HOME, AWAY):
        await eventually(partial(_known, ledger, region, profile), until=lambda held: not held, what="the withdrawal")
    assert not ledger.dead()


async def _works_off(stack: Stack, ledger: Ledger, wrong: dict[str, str]) -> None:
    """As an operator would: look at one, try it again in vain, let all go."""
    letters = await _letters(ledger, HOME, "registry", wrong)
    unknown = next(letter for letter in letters.values() if "does not know" in letter.reason)

    code, said = await dlq(stack, HOME, "registry", "list")
    assert code == 0
    assert f"{len(wrong)} dead letters" in said
    assert f"{unknown.place}  {unknown.reason}" in said

    code, said = await dlq(stack, HOME, "registry", "show", unknown.id)
    assert code == 0
    assert "header     ce_type = eu.tibs.profile.sold.v9" in said

    code, said = await dlq(stack, HOME, "registry", "replay", unknown.id)
    assert code == 1
    assert "still wrong" in said
    assert "Traceback" not in said

    code, said = await dlq(stack, HOME, "registry", "discard", unknown.id)
    assert (code, said.strip()) == (0, f"{unknown.id}  discarded")
    # What the command does was seen; the many others go the short way.
    _let_go(ledger)


async def test_what_failed_for_a_fault_of_our_own_is_applied_when_it_is_replayed(
    stack: Stack, ledger: Ledger, line: Line
) -> None:
    event = published(title="Seeks a table that was renamed")
    profile = str(event.profile_id)
    ledger.execute(HOME, "registry", "ALTER TABLE directory_profile RENAME TO directory_profile_away")
    try:
        await line.tell(event, subject=profile)
        letters = await eventually(partial(_letters, ledger, HOME, "registry", [profile]), what="the dead letter")
    finally:
        ledger.execute(HOME, "registry", "ALTER TABLE directory_profile_away RENAME TO directory_profile")
    [letter] = letters.values()
    assert letter.reason == "ProgrammingError in the handler"
    assert "registry" not in await _known(ledger, HOME, profile)

    code, said = await dlq(stack, HOME, "registry", "replay", "all")

    assert (code, said.strip()) == (0, f"{letter.id}  applied")
    assert "registry" in await _known(ledger, HOME, profile)
    withdrawn = _withdrawn(event)
    await line.tell(withdrawn, subject=profile, sequence=2)
    await eventually(partial(_known, ledger, HOME, profile), until=lambda held: not held, what="the withdrawal")
    assert not ledger.dead()


Unbelievable = Callable[[Stack, ProfilePublished], tuple[bytes, Headers]]


def _unsigned(stack: Stack, event: ProfilePublished) -> tuple[bytes, Headers]:
    return event.write(), _headers(event, subject=str(event.profile_id))


def _of_another_region(stack: Stack, event: ProfilePublished) -> tuple[bytes, Headers]:
    value, headers = _unsigned(stack, event)
    return value, _signed(stack, headers, value, region=HOME)


def _with_another_value(stack: Stack, event: ProfilePublished) -> tuple[bytes, Headers]:
    value, headers = _unsigned(stack, event)
    return value.replace(b"boatyard", b"shipyard"), _signed(stack, headers, value)


def _with_another_header(stack: Stack, event: ProfilePublished) -> tuple[bytes, Headers]:
    value, headers = _unsigned(stack, event)
    signed = _signed(stack, headers, value)
    return value, [(name, b"77" if name == "ce_sequence" else held) for name, held in signed]


def _moved(stack: Stack, event: ProfilePublished) -> tuple[bytes, Headers]:
    value, headers = _unsigned(stack, event)
    return value, _signed(stack, headers, value, topic=f"tibs.{AWAY}.catalogue.v1")


def _in_another_name(stack: Stack, event: ProfilePublished) -> tuple[bytes, Headers]:
    headers = _headers(event, subject=str(event.profile_id), ce_source=b"/regions/pl84/registry")
    return event.write(), _signed(stack, headers, event.write(), region=HOME)


UNBELIEVABLE: list[tuple[str, Unbelievable]] = [
    ("it is not signed", _unsigned),
    ("with key", _of_another_region),
    ("does not fit what it holds", _with_another_value),
    ("does not fit what it holds", _with_another_header),
    (f"was signed for topic 'tibs.{AWAY}.catalogue.v1' and moved", _moved),
    ("written by region 'fi1c' alone", _in_another_name),
]


async def test_what_its_region_did_not_sign_is_quarantined_counted_and_the_rest_flows(
    stack: Stack, ledger: Ledger, line: Line
) -> None:
    more = f',region="{AWAY}"'
    counted = partial(_counted, stack, HOME, "registry", "directory")
    broken, aside = await counted(), await counted(metric="quarantined", more=more)
    wrong: dict[str, str] = {}
    for reason, forge in UNBELIEVABLE:
        event = published(title="Seeks nobody, for it is forged")
        value, headers = forge(stack, event)
        await line.send(value, headers, key=str(event.profile_id))
        wrong[str(event.profile_id)] = reason
    good = published(title="Seeks what stands behind the forged ones")

    await line.tell(good, subject=str(good.profile_id))

    for region in (HOME, AWAY):
        await eventually(
            partial(_known, ledger, region, str(good.profile_id)), until=lambda held: len(held) == 3, what="the profile"
        )
        for forged in wrong:
            assert not await _known(ledger, region, forged)
        for service, _ in READERS:
            put_aside = await _letters(ledger, region, service, wrong)
            assert set(put_aside) == set(wrong), (region, service)
            for key, letter in put_aside.items():
                assert wrong[key] in letter.reason
    assert await counted(metric="quarantined", more=more) == aside + len(wrong)
    assert await counted() == broken
    _, said = await dlq(stack, HOME, "registry", "list")
    assert f"{len(wrong)} of them quarantined" in said
    assert "quarantined: it is not signed" in said

    _let_go(ledger)
    await line.tell(_withdrawn(good), subject=str(good.profile_id), sequence=2)
    for region in (HOME, AWAY):
        await eventually(
            partial(_known, ledger, region, str(good.profile_id)), until=lambda held: not held, what="the withdrawal"
        )
    assert not ledger.dead()


def _let_go(ledger: Ledger) -> None:
    for region in (HOME, AWAY):
        for service, _ in READERS:
            ledger.execute(region, service, "UPDATE dead_letter SET state = 'discarded' WHERE state = 'open'")


def _block(standings: Path) -> None:
    standings.write_text(f"- {{region: {AWAY}, state: blocked, since: 2026-11-01, reason: its key was stolen}}\n")


def _let_in_again(standings: Path) -> None:
    standings.unlink()


async def test_a_region_that_is_blocked_waits_in_quarantine_until_it_is_let_in_again(
    stack: Stack, ledger: Ledger, line: Line
) -> None:
    event = published(title="Seeks to be let in again")
    profile = str(event.profile_id)
    standings = Path(stack.environment(HOME, "registry")["TIBS_STANDINGS_FILE"])
    _block(standings)
    try:
        await line.tell(event, subject=profile)
        letters: dict[str, str] = {}
        for service, _ in READERS:
            held = await eventually(
                partial(_letters, ledger, HOME, service, [profile]), what=f"the quarantine of {service}"
            )
            [letter] = held.values()
            letters[service] = letter.id
            assert letter.reason == f"{HOME} blocks {AWAY} since 2026-11-01: its key was stolen"
        # Who blocks nobody goes on.
        await eventually(
            partial(_known, ledger, AWAY, profile), until=lambda known: len(known) == 3, what="the profile"
        )
        code, said = await dlq(stack, HOME, "registry", "replay", letters["registry"])
        assert (code, f"still wrong: {HOME} blocks {AWAY}" in said) == (1, True)
    finally:
        _let_in_again(standings)

    for service, id in letters.items():
        code, said = await dlq(stack, HOME, service, "replay", id)
        assert (code, said.strip()) == (0, f"{id}  applied")
    assert len(await _known(ledger, HOME, profile)) == 3
    await line.tell(_withdrawn(event), subject=profile, sequence=2)
    for region in (HOME, AWAY):
        await eventually(partial(_known, ledger, region, profile), until=lambda known: not known, what="the withdrawal")
    assert not ledger.dead()
