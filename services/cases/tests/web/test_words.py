"""Days, promises, highlighted passages and icons as they are read."""

import re
from datetime import date
from pathlib import Path

import pytest

from tibs_cases.promises.rules import calendar
from tibs_cases.web import words
from tibs_cases.web.dates import promise
from tibs_cases.web.i18n import ngettext, speaking
from tibs_cases.web.rendering import HERE, environment, highlighted

POLAND = calendar("PL", "Europe/Warsaw")
ASSETS = Path(__file__).parents[2] / "assets"
TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("due", "text", "meaning"),
    [
        (date(2026, 11, 27), "Fri 27 Nov, in 3 working days", "ahead"),
        (date(2026, 11, 24), "Tue 24 Nov, today", "due"),
        (date(2026, 11, 25), "Wed 25 Nov, tomorrow", "due"),
        (date(2026, 11, 20), "Fri 20 Nov, overdue by 2 working days", "overdue"),
        # Christmas Eve, Christmas, New Year and Epiphany are holidays in Poland.
        (date(2027, 1, 7), "Thu 7 Jan 2027, in 28 working days", "ahead"),
    ],
)
def test_a_promise_is_told_in_working_days(due: date, text: str, meaning: str) -> None:
    told = promise(due, today=TODAY, calendar=POLAND)
    assert (told.text, told.meaning) == (text, meaning)


def test_passages_are_marked_and_everything_else_is_escaped() -> None:
    text = highlighted("Glue <b>timber</b> well & dry", ["timber", "WELL", "absent"])
    assert text == "Glue &lt;b&gt;<mark>timber</mark>&lt;/b&gt; <mark>well</mark> &amp; dry"


def test_passages_that_overlap_are_marked_once() -> None:
    assert highlighted("dry timber", ["dry timber", "timber"]) == "<mark>dry timber</mark>"


def test_a_code_that_is_new_reads_like_a_word() -> None:
    assert words.name("sector", "quantum_things") == "Quantum things"
    assert words.profile_state("external_review").word == "External review"


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    listed = set((ASSETS / "icons.txt").read_text().split())
    used: set[str] = set()
    for file in HERE.rglob("*.html"):
        used |= set(re.findall(r'icon\("([a-z0-9-]+)"', file.read_text()))
    for file in HERE.glob("*.py"):
        used |= set(re.findall(r'icon="([a-z0-9-]+)"', file.read_text()))
    assert not used - listed


def test_templates_hold_no_script_style_or_handler_of_their_own() -> None:
    for file in HERE.rglob("*.html"):
        text = file.read_text()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|hx-on|hx-vals=.js:", text), file.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), file.name


PROVEN_BY_ITS_LINK = {"unsubscribe.html"}
"""Nobody is signed in there: what the form may do is in the signed link it is sent to."""


def test_every_form_that_changes_something_carries_its_token() -> None:
    for file in HERE.rglob("*.html"):
        if file.name in PROVEN_BY_ITS_LINK:
            continue
        for form in re.findall(r'<form[^>]*method="post".*?</form>', file.read_text(), re.DOTALL):
            assert "ui.hidden(me, key)" in form, f"{file.name}: {form[:120]}"


def test_all_templates_compile() -> None:
    made = environment(POLAND)
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)


def test_a_language_without_a_catalogue_is_read_in_english() -> None:
    with speaking("xx"):
        assert ngettext("one thing", "many things", 3) == "many things"
