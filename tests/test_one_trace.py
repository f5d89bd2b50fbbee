"""One trace holds what one form set going, across services and regions, and nobody's data."""

import asyncio

import pytest
from faults.collector import Collector, Span
from faults.telling import Telling

from tibs_chassis.testing import eventually
from tibs_devstack.sample import organisations
from tibs_devstack.stack import Stack
from tibs_devstack.visitor import Visitor

pytestmark = pytest.mark.system


async def _trace(collector: Collector, trace_id: str, *wanted: tuple[str, str, str]) -> list[Span]:
    """The spans of a trace, once those named by region, service and name are among them."""

    async def missing() -> set[tuple[str, str, str]]:
        return set(wanted) - {(one.region, one.service, one.name) for one in collector.trace(trace_id)}

    await eventually(missing, until=lambda left: not left, within=20, what=f"spans of trace {trace_id}")
    return collector.trace(trace_id)


def _parent(spans: list[Span], child: Span) -> Span | None:
    return next((one for one in spans if one.span_id == child.parent_id), None)


def _above(spans: list[Span], child: Span) -> list[tuple[str, str, str]]:
    """Who caused it, from the nearest to the root."""
    found: list[tuple[str, str, str]] = []
    above = _parent(spans, child)
    while above is not None:
        found.append((above.region, above.service, above.kind))
        above = _parent(spans, above)
    return found


def _one(spans: list[Span], region: str, service: str, name: str) -> Span:
    [found] = [one for one in spans if (one.region, one.service, one.name) == (region, service, name)]
    return found


async def test_a_request_for_an_introduction_is_one_trace_in_two_regions(
    telling: Telling, collector: Collector
) -> None:
    asked = ("fi1c", "cases", "handle eu.tibs.introduction.requested.v1")
    answered = ("pl84", "cases", "handle eu.tibs.introduction.received.v1")
    trace_id = telling.trace_of("/introductions")
    assert trace_id == telling.told.trace_id

    spans = await _trace(collector, trace_id, asked, answered)

    form = _one(spans, "pl84", "cases", "POST /cases/{case_id}/introductions")
    assert form.parent_id is None
    assert form.attributes["http.response.status_code"] == "303"
    assert _above(spans, _one(spans, *asked)) == [("pl84", "cases", "server")]
    assert _above(spans, _one(spans, *answered)) == [("fi1c", "cases", "consumer"), ("pl84", "cases", "server")]


async def test_a_publication_is_one_trace_from_the_form_to_the_other_regions_index(
    telling: Telling, collector: Collector
) -> None:
    published = "handle eu.tibs.profile.published.v1"
    readers = [(region, service, published) for region in ("pl84", "fi1c") for service in ("registry", "matching")]

    spans = await _trace(collector, telling.trace_of("/review"), *readers)

    for reader in readers:
        assert _above(spans, _one(spans, *reader)) == [
            ("pl84", "registry", "server"),
            ("pl84", "cases", "client"),
            ("pl84", "cases", "server"),
        ]


async def test_every_request_is_one_span_and_every_parent_is_known(telling: Telling, collector: Collector) -> None:
    for _, path, trace_id in telling.sent:
        await eventually(
            lambda trace_id=trace_id: _roots(collector, trace_id),  # type: ignore[misc]
            until=lambda roots: [one.kind for one in roots] == ["server"],
            what=f"one root of the trace of {path}",
        )
    servers = [one for one in collector.spans if one.kind == "server"]
    parents = {one.span_id: one for one in collector.spans}
    doubled = [one for one in servers if one.parent_id in parents and parents[one.parent_id].kind == "server"]
    assert not doubled


async def _roots(collector: Collector, trace_id: str) -> list[Span]:
    """Spans whose parent is not in the trace: the form itself, and no other once all have come."""
    spans = collector.trace(trace_id)
    known = {one.span_id for one in spans}
    return [one for one in spans if one.parent_id not in known]


async def test_no_span_holds_anybodys_data(telling: Telling, stack: Stack, collector: Collector) -> None:
    broker = Visitor(url=stack.url("pl84"), person=stack.people("pl84")["broker"])
    searched = "somebody@looked-for.example"

    def look() -> str | None:
        broker.sign_in()
        return broker.open(f"/actors?q={searched}").trace_id

    trace_id = await asyncio.to_thread(look)
    broker.close()
    assert trace_id is not None
    await _trace(collector, trace_id, ("pl84", "cases", "GET /actors"), ("pl84", "registry", "GET /api/v1/actors"))
    personal = {
        str(one.contact[name]) for one in organisations(["pl84", "fi1c"]) for name in ("name", "email") if one.contact
    }

    told = [
        (span.service, span.name, text)
        for span in collector.spans
        for text in span.texts
        if "@" in text or "%40" in text or "code=" in text or any(one in text for one in personal)
    ]
    assert not told
