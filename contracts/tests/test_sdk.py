"""Subscribers, against a real Kafka."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from joserfc.jwk import OKPKey

from tibs_contracts.codes import WithdrawalReason
from tibs_contracts.events import CaseOpened, Event, IntroductionRequested, ProfilePublished, ProfileWithdrawn
from tibs_contracts.ids import new_id
from tibs_contracts.sdk import Invalid, Message, subscribe
from tibs_contracts.signatures import Keyring, Signer, SigningKey
from tibs_contracts.topics import Channel, Topic

pytestmark = pytest.mark.integration

Profile = Callable[[str], ProfilePublished]
Regions = tuple[str, str]


async def titles(kafka: str, regions: Regions, **options: Any) -> list[str]:
    messages = subscribe(kafka, ProfilePublished, until_end=True, **options)
    return [message.data.title async for message in messages if message.envelope.region in regions]


async def test_reads_the_profiles_of_every_region(kafka: str, tell: Any, regions: Regions, profile: Profile) -> None:
    await tell.event(regions[0], profile("Wood"))
    await tell.event(regions[1], profile("Sensors"))
    messages = [
        message
        async for message in subscribe(kafka, ProfilePublished, until_end=True)
        if message.envelope.region in regions
    ]
    assert sorted(message.data.title for message in messages) == ["Sensors", "Wood"]
    assert {message.topic for message in messages} == {Topic(Channel.REGISTRY, region) for region in regions}


async def test_reads_several_kinds_from_several_channels(
    kafka: str, tell: Any, regions: Regions, profile: Profile
) -> None:
    case = CaseOpened(case_id=new_id(), opened_at=datetime.now(UTC))
    withdrawn = ProfileWithdrawn(
        profile_id=new_id(), reference="TO1", reason=WithdrawalReason.WITHDRAWN, withdrawn_at=datetime.now(UTC)
    )
    for event in (profile("Wood"), case, withdrawn):
        await tell.event(regions[0], event)
    wanted: list[type[Event]] = [ProfilePublished, CaseOpened]
    messages: list[Message[Event]] = [
        message async for message in subscribe(kafka, *wanted, until_end=True) if message.envelope.region in regions
    ]
    assert {type(message.data) for message in messages} == {ProfilePublished, CaseOpened}


async def test_waits_for_what_comes_and_finds_a_region_that_joins(
    kafka: str, tell: Any, regions: Regions, profile: Profile
) -> None:
    joined = f"cc{uuid4().hex[:8]}"
    reading = asyncio.Event()
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def read() -> None:
        async with aclosing(subscribe(kafka, ProfilePublished)) as messages:
            async for message in messages:
                if message.envelope.region == regions[0]:
                    reading.set()
                if message.envelope.region == joined:
                    heard.set_result(message.data.title)
                    return

    reader = asyncio.create_task(read())
    await tell.event(regions[0], profile("Wood"))
    await asyncio.wait_for(reading.wait(), timeout=20)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(Topic(Channel.REGISTRY, joined).name, 6, 1)])
    await admin.close()
    await tell.event(joined, profile("From the new region"))
    assert await asyncio.wait_for(heard, timeout=30) == "From the new region"
    await reader


async def test_a_group_goes_on_where_it_stood(kafka: str, tell: Any, regions: Regions, profile: Profile) -> None:
    group = f"copy-{uuid4().hex}"
    await tell.event(regions[0], profile("First"))
    assert await titles(kafka, regions, group=group) == ["First"]
    await tell.event(regions[1], profile("Second"))
    assert await titles(kafka, regions, group=group) == ["Second"]
    assert sorted(await titles(kafka, regions)) == ["First", "Second"]


async def test_an_event_whose_handling_failed_comes_again_to_its_group(
    kafka: str, tell: Any, regions: Regions, profile: Profile
) -> None:
    group = f"copy-{uuid4().hex}"
    await titles(kafka, regions, group=group)
    await tell.event(regions[0], profile("Precious"))

    async def fail() -> None:
        async with aclosing(subscribe(kafka, ProfilePublished, group=group)) as messages:
            async for message in messages:
                if message.envelope.region in regions:
                    raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        await fail()
    assert await titles(kafka, regions, group=group) == ["Precious"]


async def test_what_is_no_event_is_reported_without_its_payload_and_stops_nothing(
    kafka: str, tell: Any, regions: Regions, profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    event, [region, other] = profile("Sound"), regions
    topic = Topic(Channel.REGISTRY, region)
    headers = tell.headers(event, region=region)
    without_id = [(name, value) for name, value in headers if name != "ce_id"]
    await tell.record(topic, b"SECRET not json", headers)
    await tell.record(topic, event.write().replace(b'"trl":7', b'"trl":"SECRET"'), headers)
    await tell.record(topic, event.write(), without_id)
    await tell.record(topic, event.write(), [])
    await tell.record(topic, event.write(), [*without_id, ("ce_id", b"\xff\xfe")])
    await tell.record(topic, event.write(), tell.headers(event, region=other))
    await tell.record(topic, None, headers)
    await tell.event(region, event)
    invalid: list[Invalid] = []
    assert await titles(kafka, regions, on_invalid=invalid.append) == ["Sound"]
    reasons = [each.reason for each in sorted(invalid, key=lambda each: each.offset) if each.topic == topic.name]
    assert reasons == [
        "the data do not fit eu.tibs.profile.published.v1: / (json_invalid)",
        "the data do not fit eu.tibs.profile.published.v1: /trl (int_parsing)",
        "header ce_id is missing",
        "header ce_specversion is missing",
        "header ce_id held b'\\xff\\xfe', which is not UTF-8",
        f"header ce_source held '/regions/{other}/registry' on a topic of region '{region}'",
    ]
    with caplog.at_level(logging.WARNING):
        await titles(kafka, regions)
    assert f"no event at {topic.name}" in caplog.text
    assert "SECRET" not in caplog.text + str(invalid)


async def test_fields_and_values_of_a_later_version_do_not_disturb(
    kafka: str, tell: Any, regions: Regions, profile: Profile
) -> None:
    event = profile("Later")
    value = event.write().replace(b'"stage":"field_tested"', b'"stage":"flying","licence":"new"')
    await tell.record(Topic(Channel.REGISTRY, regions[0]), value, tell.headers(event, region=regions[0]))
    assert await titles(kafka, regions) == ["Later"]


async def test_with_a_keyring_only_what_its_region_signed_is_read(
    kafka: str, tell: Any, regions: Regions, profile: Profile
) -> None:
    region, other = regions
    ours, theirs = (
        Signer(OKPKey.generate_key("Ed25519", parameters={"kid": f"{code}-1"}).as_dict(private=True))
        for code in regions
    )
    ring = Keyring({region: [SigningKey.of(ours.public)], other: [SigningKey.of(theirs.public)]})
    await tell.signed(region, profile("Signed"), by=ours)
    await tell.signed(region, profile("Signed by another region"), by=theirs)
    await tell.event(region, profile("Not signed"))
    invalid: list[Invalid] = []
    assert await titles(kafka, regions, keyring=ring, on_invalid=invalid.append) == ["Signed"]
    reasons = {each.reason for each in invalid if each.topic == Topic(Channel.REGISTRY, region).name}
    assert reasons == {
        f"it is signed with key '{other}-1', none of region '{region}' ({region}-1)",
        "the record's key is not its ce_subject",
    }


async def test_nothing_to_subscribe_to_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        subscribe("localhost:9092")


async def test_what_is_not_public_is_refused() -> None:
    with pytest.raises(ValueError, match="IntroductionRequested is told on the cases channel, which is not public"):
        subscribe("localhost:9092", IntroductionRequested)
