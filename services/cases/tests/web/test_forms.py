"""What was typed, what was wrong with it, and how it reads as an API body."""

import pytest
from starlette.datastructures import FormData

from tibs_cases.introductions.api import MessageBody
from tibs_cases.web.forms import Form, field_of, parsed
from tibs_chassis.problems import FieldError, Invalid, Problem


def typed(*pairs: tuple[str, str]) -> Form:
    return Form.typed(FormData(list(pairs)))


def test_what_was_typed_is_read_as_it_was_meant() -> None:
    form = typed(("name", "  Sokół "), ("founded", "1998"), ("trl", "six"), ("technologies", "laser, glue;\nwood"))
    assert form.text("name") == "Sokół"
    assert form.number("founded") == 1998
    assert form.number("trl") == "six"
    assert form.words("technologies") == ["laser", "glue", "wood"]
    assert form.optional("absent") is None
    assert not form.flag("listed")


def test_several_boxes_of_one_name_are_all_kept() -> None:
    assert typed(("sectors", "ict"), ("sectors", "")).chosen("sectors") == ["ict"]


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("/title", "title"),
        ("/sectors/2", "sectors"),
        ("/partner_sought/task", "partner_sought.task"),
        ("/partner_sought/kinds/0", "partner_sought.kinds"),
        ("/technology_keywords/4/text", "technology_keywords"),
    ],
)
def test_a_reason_goes_to_its_field(pointer: str, field: str) -> None:
    names = ["title", "sectors", "partner_sought.task", "partner_sought.kinds", "technology_keywords"]
    known = {name: [] for name in names}
    assert field_of(FieldError(pointer=pointer, reason="does not fit"), known=known) == field


def test_a_refused_form_keeps_what_was_typed_and_says_why() -> None:
    form = typed(("title", "Too long"))
    wrong = FieldError(pointer="/title", reason="should have at most 200 characters")
    form.refuse(Problem(status=422, slug="invalid", title="No", detail="One field is not valid.", errors=[wrong]))
    assert form.value("title") == "Too long"
    assert form.wrong("title") == ["Should have at most 200 characters."]
    assert form.problem == "One field is not valid."


def test_the_apis_own_rules_judge_a_form() -> None:
    with pytest.raises(Invalid) as refused:
        parsed(MessageBody, {"text": "", "language": "en"})
    assert refused.value.errors[0].pointer == "/text"
