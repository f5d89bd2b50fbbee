"""Kafka is away for a while: everybody goes on working, and everything arrives once after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from faults.desk import register_organisation, request_introduction, signed_in, unused_profiles
from faults.ledger import Ledger

from tibs_chassis.testing import eventually
from tibs_contracts.ids import new_id
from tibs_contracts.topics import SERVICES
from tibs_devstack.stack import Stack

pytestmark = pytest.mark.system

HOME, AWAY = "pl84", "fi1c"


@asynccontextmanager
async def without_kafka(stack: Stack) -> AsyncIterator[None]:
    """Each region's Kafka dies as in a power cut, and is there again afterwards."""
    for region in stack.regions:
        await stack.kill_kafka(region)
    try:
        yield
    finally:
        for region in stack.regions:
            await stack.start_kafka(region)


async def _probes(stack: Stack, path: str) -> dict[str, Any]:
    """What each service answers to a probe."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = {
            f"{region} {service}": await client.get(
                f"http://127.0.0.1:{httpx.URL(stack.url(region, service)).port}{path}"
            )
            for region in stack.regions
            for service in SERVICES
        }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    return {name: answer.json() for name, answer in answers.items()}


async def _notices_that_kafka_is_away(stack: Stack, ledger: Ledger) -> set[str]:
    """Every relay that holds something says that it waits; returns which."""
    holding = set(await ledger.waiting())

    async def content() -> set[str]:
        told = await _probes(stack, "/readyz")
        return {name for name in holding if told[name]["relay"] in ("active", "standby")}

    await eventually(content, until=lambda names: not names, what="relays that know")
    return holding


def _ask(stack: Stack, ledger: Ledger, names: dict[str, str]) -> str:
    """Both desks work while Kafka is away; returns the address of the introduction that Podlaskie asks for."""
    need, offer = unused_profiles(ledger, home=HOME, away=AWAY)
    with signed_in(stack, HOME) as broker, signed_in(stack, AWAY) as partner:
        asked = request_introduction(broker, need=need, offer=offer)
        assert asked.path.startswith("/introductions/")
        assert asked.all("[data-way='queued']")
        assert not asked.all("[data-way='queued'].is-done")
        assert "Waiting to send" in asked.one("[data-way='queued']").text()
        register_organisation(broker, name=names[HOME], country="PL")
        register_organisation(partner, name=names[AWAY], country="FI")
        waiting = f".banner a[href='{asked.path}']"
        today = broker.until("/today", lambda page: page.all(waiting), what="what waits to leave")
        assert "waiting to send" in today.text
    return asked.path


def _see_it_arrive(stack: Stack, introduction: str) -> None:
    with signed_in(stack, HOME) as broker, signed_in(stack, AWAY) as partner:
        broker.until(introduction, lambda page: page.all("[data-way='delivered'].is-done"), what="delivery")
        partner.until("/today", lambda page: page.all(f"main a[href='{introduction}']"), what="the request")
        assert "waiting to send" not in broker.open("/today").text


async def test_work_goes_on_without_kafka_and_all_of_it_arrives_once_after(stack: Stack, ledger: Ledger) -> None:
    names = {region: f"Undisturbed {new_id()}" for region in (HOME, AWAY)}
    marks = {(region, service): ledger.mark(region, service) for region in stack.regions for service in SERVICES}

    async with without_kafka(stack):
        await _probes(stack, "/livez")
        introduction = await asyncio.to_thread(_ask, stack, ledger, names)
        assert await _notices_that_kafka_is_away(stack, ledger) >= {
            f"{HOME} cases",
            f"{HOME} registry",
            f"{AWAY} registry",
        }
        await _probes(stack, "/livez")
    await asyncio.to_thread(_see_it_arrive, stack, introduction)
    await eventually(ledger.waiting, until=lambda left: not left, within=60, what="empty outboxes")
    for region in (HOME, AWAY):
        for name in names.values():
            await eventually(
                lambda region=region, name=name: _listed(ledger, region, name),  # type: ignore[misc]
                until=lambda count: count == 1,
                within=60,
                what=f"{name} in the directory of {region}",
            )

    id = introduction.rpartition("/")[2]
    for region in (HOME, AWAY):
        assert ledger.count(region, "cases", "introduction WHERE id = %s", [id]) == 1
        kinds = await eventually(
            lambda region=region: _notices(ledger, region, introduction), within=60, what="a notice"
        )  # type: ignore[misc]
        assert set(kinds.values()) == {1}
        await eventually(
            lambda region=region: _unsent(ledger, region),  # type: ignore[misc]
            until=lambda states: set(states) <= {"sent"},
            within=60,
            what=f"all mails of {region} to be sent",
        )
    assert not ledger.dead()
    told = [event for (region, service), mark in marks.items() for event in ledger.told(region, service, since=mark)]
    there = await ledger.on_topics()
    assert {event.type for event in told} >= {"eu.tibs.introduction.requested.v1", "eu.tibs.actor.listed.v1"}
    assert {event: there[event] for event in told} == dict.fromkeys(told, 1)
    mails = await ledger.message_ids()
    assert set(mails.values()) == {1}


async def _listed(ledger: Ledger, region: str, name: str) -> int:
    return ledger.count(region, "registry", "directory_actor WHERE public->>'name' = %s", [name])


async def _notices(ledger: Ledger, region: str, link: str) -> dict[tuple[str, str], int]:
    return dict(ledger.notices(region, link))


async def _unsent(ledger: Ledger, region: str) -> dict[str, int]:
    return dict(ledger.deliveries(region))
