"""The four parties of an introduction: who each is, whom it knows now, what it still has to do."""

from dataclasses import dataclass

from tibs_cases.introductions.model import Introduction
from tibs_cases.introductions.rules import IntroductionState
from tibs_cases.web.i18n import gettext
from tibs_contracts.events import DisclosedContact, Side


@dataclass(frozen=True)
class Party:
    """One card. `knows` says of whom it knows, or does not yet."""

    code: str
    role: str
    region: str
    icon: str
    name: str | None
    hint: str
    knows: list[tuple[bool, str]]
    todo: str | None
    done: bool
    ours: bool


@dataclass(frozen=True)
class Known:
    """What this node can name: its own client and broker, and whatever the other side has disclosed."""

    home_region: str
    counterpart_region: str
    own_client: str | None
    own_broker: str | None
    own_desk: str
    other_desk: str
    own_contact: DisclosedContact | None
    other_contact: DisclosedContact | None
    other_client_hint: str


def parties(half: Introduction, known: Known) -> list[Party]:
    """Client and broker of the home region, broker and client of the counterpart."""
    introduced = half.state is IntroductionState.INTRODUCED
    ended = half.state in (IntroductionState.DECLINED, IntroductionState.WITHDRAWN)
    home = half.side is Side.HOME
    met = [(introduced, gettext("the other client")), (introduced, gettext("the other broker"))]
    return [
        Party(
            code="home_client",
            role=gettext("Client with the need"),
            region=known.home_region,
            icon="building",
            name=_client(known, ours=home),
            hint="" if home else known.other_client_hint,
            knows=[(True, gettext("its own broker")), *met],
            todo=None if ended or half.consented else gettext("Say yes to this introduction"),
            done=half.consented is not None,
            ours=home,
        ),
        Party(
            code="home_broker",
            role=gettext("Broker who asks"),
            region=known.home_region,
            icon="user-circle",
            name=_broker(known, ours=home),
            hint=_desk(known, ours=home),
            knows=[(True, gettext("its own client")), (True, gettext("the other broker")), (introduced, met[0][1])],
            todo=None if ended or half.consented else gettext("Record the client's yes"),
            done=half.consented is not None,
            ours=home,
        ),
        Party(
            code="counterpart_broker",
            role=gettext("Broker who is asked"),
            region=known.counterpart_region,
            icon="user-circle",
            name=_broker(known, ours=not home),
            hint=_desk(known, ours=not home),
            knows=[(True, gettext("its own client")), (True, gettext("the other broker")), (introduced, met[0][1])],
            todo=None if ended or half.accepted else _broker_todo(half),
            done=half.accepted is not None,
            ours=not home,
        ),
        Party(
            code="counterpart_client",
            role=gettext("Client behind the profile"),
            region=known.counterpart_region,
            icon="building",
            name=_client(known, ours=not home),
            hint=known.other_client_hint if home else "",
            knows=[(True, gettext("its own broker")), *met],
            todo=None if ended or half.accepted else gettext("Say yes or no"),
            done=half.accepted is not None,
            ours=not home,
        ),
    ]


def _client(known: Known, *, ours: bool) -> str | None:
    if ours:
        return known.own_client
    return known.other_contact.organisation if known.other_contact else None


def _broker(known: Known, *, ours: bool) -> str | None:
    if ours:
        return known.own_broker
    return known.other_contact.broker if known.other_contact else known.other_desk


def _desk(known: Known, *, ours: bool) -> str:
    """The broker's organisation, unless it already stands there instead of a name."""
    desk = known.own_desk if ours else known.other_desk
    return "" if _broker(known, ours=ours) == desk else desk


def _broker_todo(half: Introduction) -> str:
    if half.received is None and half.side is Side.HOME:
        return gettext("Nothing yet: the request is on its way")
    if half.acknowledged is None:
        return gettext("Take the request up")
    return gettext("Bring the client's decision")
