from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tibs_chassis.auth import Role
from tibs_contracts.events import IntroductionStep, ProfileState, PromiseState, Side
from tibs_contracts.ids import new_id
from tibs_notify.deliveries.rules import DeliveryState, WrongMove, masked, move, next_try
from tibs_notify.notices import rules
from tibs_notify.notices.rules import TYPE_OF, Concern, NoticeKind, NoticeType, is_critical
from tibs_notify.preferences.rules import Channel, QuietHours, Wishes

ID = new_id()
CASE = new_id()


def profile(state: ProfileState, *, author: str = "author", moved_by: str | None = "reviewer") -> Concern | None:
    return rules.about_profile(profile_id=ID, title="Sensors", state=state, author=author, moved_by=moved_by)


def introduction(
    side: Side, step: IntroductionStep, *, concerned: tuple[str, ...] = ("broker",), by: str | None = None
) -> Concern | None:
    return rules.about_introduction(
        introduction_id=ID,
        title="Sensors",
        side=side,
        step=step,
        here="fi1c",
        other_region="pl84",
        concerned=concerned,
        by=by,
        due=date(2026, 11, 27),
    )


def promise(
    state: PromiseState, *, responsible: str | None = "broker", supervisor: str | None = "lead"
) -> Concern | None:
    return rules.about_promise(
        case_id=CASE,
        introduction_id=ID,
        title="Sensors",
        promise="client_decision",
        state=state,
        responsible=responsible,
        supervisor=supervisor,
        due=date(2026, 11, 27),
    )


def test_a_submitted_profile_is_for_reviewers_but_not_for_its_author_or_who_submitted_it() -> None:
    found = profile(ProfileState.INTERNAL_REVIEW, author="author", moved_by="colleague")
    assert found == Concern(
        NoticeKind.PROFILE_TO_REVIEW,
        f"/profiles/{ID}/review",
        {"title": "Sensors"},
        role=Role.REVIEWER,
        never=frozenset({"author", "colleague"}),
    )


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (ProfileState.RETURNED, NoticeKind.PROFILE_RETURNED),
        (ProfileState.PUBLISHED, NoticeKind.PROFILE_PUBLISHED),
        (ProfileState.EXPIRED, NoticeKind.PROFILE_EXPIRED),
        (ProfileState.WITHDRAWN, NoticeKind.PROFILE_WITHDRAWN),
    ],
)
def test_the_author_hears_what_others_or_time_did_to_a_profile(state: ProfileState, kind: NoticeKind) -> None:
    for moved_by in ("reviewer", None):
        found = profile(state, moved_by=moved_by)
        assert found is not None
        assert (found.kind, found.people) == (kind, ("author",))


@pytest.mark.parametrize("state", [ProfileState.WITHDRAWN, ProfileState.DRAFT, ProfileState.UNKNOWN])
def test_nobody_hears_of_a_profile_what_they_did_themselves_or_what_is_no_news(state: ProfileState) -> None:
    assert profile(state, moved_by="author") is None


def test_a_request_from_another_region_is_critical_and_leads_to_the_introduction() -> None:
    found = introduction(Side.COUNTERPART, IntroductionStep.RECEIVED, concerned=("broker", "lead", "broker"))
    assert found == Concern(
        NoticeKind.INTRODUCTION_RECEIVED,
        f"/introductions/{ID}",
        {"title": "Sensors", "region": "pl84", "due": "2026-11-27"},
        people=("broker", "lead"),
    )
    assert is_critical(found.kind)


@pytest.mark.parametrize(
    ("side", "step", "region"),
    [
        (Side.HOME, IntroductionStep.DELIVERED, "pl84"),
        (Side.HOME, IntroductionStep.ACKNOWLEDGED, "pl84"),
        (Side.HOME, IntroductionStep.ACCEPTED, "pl84"),
        (Side.HOME, IntroductionStep.DECLINED, "pl84"),
        (Side.HOME, IntroductionStep.CONSENTED, "fi1c"),
        (Side.COUNTERPART, IntroductionStep.ACCEPTED, "fi1c"),
        (Side.COUNTERPART, IntroductionStep.CONSENTED, "pl84"),
        (Side.COUNTERPART, IntroductionStep.WITHDRAWN, "pl84"),
        (Side.HOME, IntroductionStep.MESSAGE, "pl84"),
        (Side.COUNTERPART, IntroductionStep.MESSAGE, "pl84"),
    ],
)
def test_the_region_named_is_the_one_that_did_it(side: Side, step: IntroductionStep, region: str) -> None:
    found = introduction(side, step)
    assert found is not None
    assert found.parameters["region"] == region
    assert not is_critical(found.kind)


@given(
    st.sampled_from(Side), st.sampled_from(IntroductionStep), st.lists(st.sampled_from("abc")), st.sampled_from("abc")
)
def test_nobody_hears_of_their_own_step(side: Side, step: IntroductionStep, concerned: list[str], by: str) -> None:
    found = introduction(side, step, concerned=tuple(concerned), by=by)
    assert found is None or (by not in found.people and set(found.people) <= set(concerned))


def test_a_message_that_this_desk_wrote_is_no_news() -> None:
    assert introduction(Side.HOME, IntroductionStep.MESSAGE, concerned=("broker", "lead"), by="broker") is None


def test_a_step_of_a_later_version_concerns_nobody() -> None:
    assert introduction(Side.HOME, IntroductionStep.UNKNOWN) is None


@pytest.mark.parametrize(
    ("state", "responsible", "people"),
    [
        (PromiseState.REMINDED, "broker", ("broker",)),
        (PromiseState.REMINDED, None, ("lead",)),
        (PromiseState.OVERDUE, "broker", ("broker", "lead")),
        (PromiseState.OVERDUE, "lead", ("lead",)),
    ],
)
def test_a_promise_reminds_who_owes_and_then_tells_the_supervisor(
    state: PromiseState, responsible: str | None, people: tuple[str, ...]
) -> None:
    found = promise(state, responsible=responsible)
    assert found is not None
    assert found.people == people
    assert is_critical(found.kind)
    assert found.link == f"/introductions/{ID}"


@pytest.mark.parametrize("state", [PromiseState.MADE, PromiseState.KEPT, PromiseState.DROPPED, PromiseState.UNKNOWN])
def test_other_steps_of_a_promise_are_no_news(state: PromiseState) -> None:
    assert promise(state) is None


def test_a_promise_of_nobody_concerns_nobody() -> None:
    assert promise(PromiseState.OVERDUE, responsible=None, supervisor=None) is None


EVERYTHING_MUTED = Wishes(muted=frozenset((each, way) for each in NoticeType for way in Channel))


@pytest.mark.parametrize("kind", NoticeKind)
def test_what_is_critical_cannot_be_muted_and_all_else_can(kind: NoticeKind) -> None:
    ways = EVERYTHING_MUTED.ways(kind, of=TYPE_OF[kind])
    assert ways == (frozenset(Channel) if is_critical(kind) else frozenset())


def test_without_a_choice_everything_comes_but_mails_of_mere_progress() -> None:
    quiet = {kind for kind in NoticeKind if Channel.MAIL not in Wishes().ways(kind, of=TYPE_OF[kind])}
    assert quiet == {NoticeKind.INTRODUCTION_DELIVERED}
    assert all(Channel.IN_APP in Wishes().ways(kind, of=TYPE_OF[kind]) for kind in NoticeKind)


WARSAW = ZoneInfo("Europe/Warsaw")


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-24T{clock}:00").replace(tzinfo=WARSAW).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "now", "over"),
    [
        (("20:00", "07:00"), "19:59", None),
        (("20:00", "07:00"), "20:00", datetime(2026, 11, 25, 6, tzinfo=UTC)),
        (("20:00", "07:00"), "03:00", datetime(2026, 11, 24, 6, tzinfo=UTC)),
        (("20:00", "07:00"), "07:00", None),
        (("12:00", "13:30"), "12:15", datetime(2026, 11, 24, 12, 30, tzinfo=UTC)),
        (("12:00", "13:30"), "13:30", None),
    ],
)
def test_quiet_hours_are_those_of_the_region(hours: tuple[str, str], now: str, over: datetime | None) -> None:
    quiet = QuietHours(start=time.fromisoformat(hours[0]), end=time.fromisoformat(hours[1]))
    wishes = Wishes(quiet=quiet)
    assert wishes.not_before(NoticeKind.PROFILE_PUBLISHED, now=at(now), zone=WARSAW) == over
    assert wishes.not_before(NoticeKind.PROMISE_DUE, now=at(now), zone=WARSAW) is None


def test_a_wrong_move_of_a_delivery_says_what_is_possible() -> None:
    with pytest.raises(WrongMove, match="that is sent cannot become queued; possible: nothing more"):
        move(DeliveryState.SENT, DeliveryState.QUEUED)
    assert move(DeliveryState.FAILED, DeliveryState.QUEUED) is DeliveryState.QUEUED


def test_a_mail_is_tried_once_more_after_each_pause_then_given_up() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    pauses = [next_try(attempts=number, now=now, schedule=(5, 60)) for number in (1, 2, 3)]
    assert pauses == [now + timedelta(seconds=5), now + timedelta(seconds=60), None]


@given(st.emails())
def test_a_masked_address_is_no_address_any_more(address: str) -> None:
    local, _, domain = address.rpartition("@")
    assert masked(address) == f"{local[0]}…@{domain}"
