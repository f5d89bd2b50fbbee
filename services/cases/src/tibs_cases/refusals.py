"""Named refusals of the rules as problem documents: what was tried, from where, what is possible, what is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from tibs_cases.cases import rules as case_rules
from tibs_cases.introductions import rules as introduction_rules
from tibs_chassis.problems import Conflict


@contextmanager
def refusals() -> Iterator[None]:
    """Turns a MoveRefused of any feature into a 409 that carries all it says."""
    try:
        yield
    except case_rules.MoveRefused as refused:
        raise case_refusal(refused) from refused
    except introduction_rules.MoveRefused as refused:
        raise introduction_refusal(refused) from refused


def case_refusal(refused: case_rules.MoveRefused) -> Conflict:
    sentences = [case_rules.SENTENCES[item] for item in refused.missing]
    reachable = refused.tried in case_rules.neighbours(refused.from_state) or refused.tried in refused.possible
    lead = f"A case in '{refused.from_state.value}' cannot move to '{refused.tried.value}'"
    return Conflict(
        " ".join([f"{lead} yet.", *sentences]) if sentences and reachable else f"{lead}.",
        slug="move-refused",
        title="The case cannot take this step now",
        tried=refused.tried.value,
        from_state=refused.from_state.value,
        possible=sorted(state.value for state in refused.possible),
        missing=[{"code": item.value, "text": case_rules.SENTENCES[item]} for item in refused.missing],
    )


def introduction_refusal(refused: introduction_rules.MoveRefused) -> Conflict:
    what = {
        introduction_rules.Move.ACKNOWLEDGE: "acknowledged",
        introduction_rules.Move.ACCEPT: "accepted",
        introduction_rules.Move.CONSENT: "consented to",
        introduction_rules.Move.DECLINE: "declined",
        introduction_rules.Move.WITHDRAW: "withdrawn",
        introduction_rules.Move.WRITE: "written to",
    }[refused.tried]
    return Conflict(
        f"An introduction that is '{refused.from_state.value}' cannot be {what} by the {refused.side.value} side.",
        slug="move-refused",
        title="The introduction cannot take this step now",
        tried=refused.tried.value,
        from_state=refused.from_state.value,
        side=refused.side.value,
        possible=sorted(move.value for move in refused.possible),
        missing=[],
    )
