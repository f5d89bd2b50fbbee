"""The checker finds every kind of break, and lets the compatible changes pass."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import Field

from tibs_contracts.codes import Sector
from tibs_contracts.compatibility import breaks, breaks_between
from tibs_contracts.events import Part, ProfilePublished
from tibs_contracts.schemas import schema_of

Schema = dict[str, Any]
RELEASED = schema_of(ProfilePublished)


def changed(change: Callable[[Schema], object]) -> list[str]:
    current = copy.deepcopy(RELEASED)
    change(current)
    return breaks(released=RELEASED, current=current)


def new_required_field(schema: Schema) -> None:
    schema["properties"]["licence"] = {"type": "string"}
    schema["required"].append("licence")


def new_optional_field(schema: Schema) -> None:
    schema["properties"]["licence"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


BREAKS: dict[str, tuple[Callable[[Schema], object], str]] = {
    "a new required field": (new_required_field, "/licence: a new field is required; events written before lack it"),
    "a removed field": (
        lambda s: s["properties"].pop("advantages"),
        "/advantages: the field was removed; readers of the released schema look for it",
    ),
    "an optional field made required": (
        lambda s: s["required"].append("stage"),
        "/stage: the field became required; events written before may lack it",
    ),
    "a required field made optional": (
        lambda s: s["required"].remove("title"),
        "/title: the field became optional; readers of the released schema need it",
    ),
    "another type": (
        lambda s: s["properties"]["title"].update(type="integer"),
        "/title: the type changed from string to integer",
    ),
    "a wider type": (
        lambda s: s["properties"]["title"].update(type=["string", "null"]),
        "/title: the type changed from string to string/null",
    ),
    "null no longer allowed": (
        lambda s: s["properties"]["stage_comment"]["anyOf"].pop(),
        "/stage_comment: null is no longer allowed; events written before may hold it",
    ),
    "null newly allowed": (
        lambda s: s["properties"].update(desk={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "/desk: null is allowed now; readers of the released schema do not expect it",
    ),
    "a tighter limit": (
        lambda s: s["properties"]["title"].update(maxLength=80),
        "/title: maxLength changed from 'none' to 80",
    ),
    "a looser limit inside an alternative": (
        lambda s: s["properties"]["trl"]["anyOf"][0].update(maximum=12),
        "/trl: maximum changed from 9 to 12",
    ),
    "another pattern of items": (
        lambda s: s["properties"]["target_countries"]["items"].update(pattern="^[a-z]{2}$"),
        "/target_countries/*: pattern changed from '^[A-Z]{2}$' to '^[a-z]{2}$'",
    ),
    "another format": (
        lambda s: s["properties"]["published_at"].update(format="date"),
        "/published_at: format changed from 'date-time' to 'date'",
    ),
    "another default": (
        lambda s: s["properties"]["open_for_interest"].update(default=False),
        "/open_for_interest: the default changed from True to False; "
        "an event that leaves the field out changes its meaning",
    ),
    "a removed value, in a part used by a list": (
        lambda s: s["$defs"]["Sector"]["anyOf"][0]["enum"].remove("ict"),
        "/sectors/*: the value 'ict' was removed; events written before may hold it",
    ),
    "a closed list": (
        lambda s: s["$defs"].update(Sector={"enum": [each.value for each in Sector]}),
        "/sectors/*: the list of values was closed; later values become errors",
    ),
    "a text narrowed to a list": (
        lambda s: s["properties"]["advantages"].update(enum=["cheaper", "better"]),
        "/advantages: the type narrowed from string to a list of values",
    ),
    "a list turned into a number": (
        lambda s: s["$defs"].update(ProfileType={"type": "integer"}),
        "/profile_type: the type changed from a list of values to integer",
    ),
    "a field removed from a nested part": (
        lambda s: s["$defs"]["PartnerSought"]["properties"].pop("task"),
        "/partner_sought/task: the field was removed; readers of the released schema look for it",
    ),
    "a new required field in an optional part": (
        lambda s: s["$defs"]["ResearchCall"]["required"].append("call"),
        "/research_call/call: the field became required; events written before may lack it",
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_is_found_and_said(kind: str) -> None:
    change, sentence = BREAKS[kind]
    assert sentence in changed(change)


COMPATIBLE: dict[str, Callable[[Schema], object]] = {
    "nothing": lambda s: None,
    "a new optional field": new_optional_field,
    "a new value in an open list": lambda s: s["$defs"]["Sector"]["anyOf"][0]["enum"].append("space_mining"),
    "other words": lambda s: s.update(description="The public profile.", title="Profile"),
    "a part under another name": lambda s: (
        s["$defs"].update(Line=s["$defs"].pop("Sector")),
        s["properties"]["sectors"].update(items={"$ref": "#/$defs/Line"}),
    ),
}


@pytest.mark.parametrize("kind", COMPATIBLE)
def test_a_compatible_change_passes(kind: str) -> None:
    assert changed(COMPATIBLE[kind]) == []


CLOSED = {"type": "object", "properties": {"colour": {"enum": ["red", "green"], "type": "string"}}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            ["red", "green", "blue"],
            "/colour: the value 'blue' is new in a closed list; readers of the released schema refuse it",
        ),
        (["red"], "/colour: the value 'green' was removed; events written before may hold it"),
    ],
)
def test_a_closed_list_may_neither_grow_nor_shrink(values: list[str], sentence: str) -> None:
    current = {"type": "object", "properties": {"colour": {"enum": values, "type": "string"}}}
    assert breaks(released=CLOSED, current=current) == [sentence]


def test_opening_a_closed_list_breaks_its_old_readers() -> None:
    opened = {"anyOf": [{"enum": ["red", "green"]}, {"type": "string"}]}
    current = {"type": "object", "properties": {"colour": opened}}
    assert breaks(released=CLOSED, current=current) == [
        "/colour: the list of values was opened; readers of the released schema refuse other values"
    ]


class Step(Part):
    title: str
    steps: list["Step"] = []


class NarrowStep(Part):
    title: str = Field(max_length=10)
    steps: list["NarrowStep"] = []


def test_a_part_that_holds_itself_is_compared_once() -> None:
    released, current = Step.model_json_schema(), NarrowStep.model_json_schema()
    assert breaks(released=released, current=released) == []
    found = breaks(released=released, current=current)
    assert "/title: maxLength changed from 'none' to 10" in found
    assert len(found) <= 2


def test_an_event_that_is_gone_breaks_those_who_wait_for_it() -> None:
    schema = {"type": "object"}
    assert breaks_between({"eu.tibs.profile.published.v1": schema}, {"eu.tibs.profile.published.v2": schema}) == [
        "eu.tibs.profile.published.v1: the event is gone; its readers wait for it"
    ]


def test_a_new_event_breaks_nobody() -> None:
    assert breaks_between({}, {"eu.tibs.profile.renewed.v1": {"type": "object"}}) == []
