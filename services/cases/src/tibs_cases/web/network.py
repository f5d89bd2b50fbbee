"""The network: one lamp on every page, and one page that says in words how the line to each region stands."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from babel.dates import format_timedelta
from fastapi import APIRouter, Request, Response

from tibs_cases.peers import service
from tibs_cases.peers.rules import Lamp, Line, OwnLine, Reason, State
from tibs_cases.peers.service import Network, PeerView
from tibs_cases.web.guard import PageRoute
from tibs_cases.web.i18n import current_language, current_locale, gettext, ngettext
from tibs_cases.web.i18n import marked as _
from tibs_cases.web.shell import Workbench, bench
from tibs_cases.web.words import Sign

router = APIRouter(prefix="/network", route_class=PageRoute, include_in_schema=False)

STATES = {
    State.UP: Sign(_("Works"), "circle-check", "green"),
    State.SLOW: Sign(_("Slow"), "hourglass", "amber"),
    State.DOWN: Sign(_("Interrupted"), "plug-connected-x", "red"),
    State.BLOCKED: Sign(_("Blocked"), "ban", "amber"),
    State.REFUSING: Sign(_("Refused"), "shield-lock", "red"),
    State.PAUSED: Sign(_("Paused"), "player-pause"),
    State.RETIRED: Sign(_("Left the network"), "archive"),
    State.UNKNOWN: Sign(_("Not known"), "help-circle"),
}

LAMPS = {
    Lamp.GREEN: Sign(_("Connected"), "circle-check", "green"),
    Lamp.GREY: Sign(_("Nobody heard yet"), "circle-dashed"),
    Lamp.AMBER: Sign(_("Limited"), "alert-triangle", "amber"),
    Lamp.RED: Sign(_("Interrupted"), "plug-connected-x", "red"),
}
OFFLINE = Sign(_("Offline"), "wifi-off", "red")

INBOUND = {
    Reason.WORKS: _("What the region writes arrives here."),
    Reason.LATE: _("What the region writes arrives late: the line or one of the two nodes is slow."),
    Reason.SILENT: _("Nothing has come for %(span)s. The node there is away, or the line from there is cut."),
    Reason.NEVER_HEARD: _("Nothing was ever heard from there."),
    Reason.LISTENING: _("This node has only just begun to listen."),
    Reason.NOT_BELIEVED: _(
        "Something comes under the region's name, but its signature does not fit, so nothing is let in"
    ),
    Reason.WE_BLOCK: _("We let nothing in from this region"),
    Reason.PAUSED: _("The region takes no part for a while"),
    Reason.RETIRED: _("The region has left the network"),
    Reason.OFFLINE: _("Not known while this node is offline."),
    Reason.IDLE: _("Not known while this node does not listen."),
}

OUTBOUND = INBOUND | {
    Reason.WORKS: _("What you send arrives there."),
    Reason.LATE: _("What you send arrives late: the line or one of the two nodes is slow."),
    Reason.LEFT_UNHEARD: _(
        "Nothing of ours has arrived there for %(span)s, though the node there speaks to us. "
        "What you send waits and will arrive."
    ),
    Reason.NO_WORD: _(
        "Only the region itself could say whether it arrives, and it is not heard. What you send waits and will arrive."
    ),
    Reason.THEY_BLOCK: _("The region lets nothing in from us"),
    Reason.THEY_PAUSED: _("The region has paused the line"),
}


@dataclass(frozen=True)
class Told:
    """One direction in words."""

    code: str
    name: str
    icon: str
    sign: Sign
    sentence: str
    line: Line


@dataclass(frozen=True)
class Row:
    """One region on the page."""

    peer: PeerView
    sign: Sign
    directions: tuple[Told, Told]
    notes: list[str]


def span(value: timedelta) -> str:
    """As words that need no case: other languages than English bend "minutes" by the sentence around them."""
    shape: Any = "long" if current_language() == "en" else "short"
    return format_timedelta(value, locale=current_locale(), format=shape)


def sentence(texts: dict[Reason, str], line: Line) -> str:
    """Why a direction is as it is, with what an operator or the other node said of it."""
    text = gettext(texts[line.reason])
    if "%(span)s" in text:
        since = span(line.age) if line.age is not None else gettext("a long time")
        text = text % {"span": since}
    if line.words:
        return f"{text}: {line.words}"
    return text if text.endswith(".") else f"{text}."


def row(peer: PeerView) -> Row:
    inbound, outbound = peer.state.inbound, peer.state.outbound
    return Row(
        peer=peer,
        sign=STATES[peer.state.state],
        directions=(
            Told(
                "inbound",
                gettext("From there"),
                "arrow-left",
                STATES[inbound.state],
                sentence(INBOUND, inbound),
                inbound,
            ),
            Told(
                "outbound",
                gettext("To there"),
                "arrow-right",
                STATES[outbound.state],
                sentence(OUTBOUND, outbound),
                outbound,
            ),
        ),
        notes=_notes(peer),
    )


def _notes(peer: PeerView) -> list[str]:
    notes = []
    if peer.waiting:
        text = ngettext(
            "%(num)s message waits here to be sent.", "%(num)s messages wait here to be sent.", peer.waiting
        )
        notes.append(text % {"num": peer.waiting})
    if (left := peer.unconfirmed - peer.waiting) > 0:
        text = ngettext(
            "%(num)s message has left and is not known to have arrived.",
            "%(num)s messages have left and are not known to have arrived.",
            left,
        )
        notes.append(text % {"num": left})
    off = peer.state.clock_off
    if off is not None:
        ahead = off > timedelta()
        text = (
            gettext("Its clock is %(span)s ahead of ours.") if ahead else gettext("Its clock is %(span)s behind ours.")
        )
        notes.append(text % {"span": span(abs(off))})
        notes.append(gettext("The times it tells are wrong by as much; nothing is lost."))
    return notes


def strangers(found: Network) -> list[PeerView]:
    """Regions of which there is nothing to tell but that nobody has heard them."""
    return [
        peer
        for peer in found.peers
        if peer.state.state is State.UNKNOWN and peer.state.inbound.last_at is None and not peer.unconfirmed
    ]


async def _found(workbench: Workbench) -> Network:
    async with workbench.database.transaction() as session:
        return await service.network(session, node=workbench.node, interval=workbench.settings.probe_interval)


def _context(found: Network) -> dict[str, Any]:
    unheard = strangers(found)
    ranks = list(State)
    told = sorted(
        (peer for peer in found.peers if peer not in unheard),
        key=lambda peer: (-ranks.index(peer.state.state), peer.region.code),
    )
    return {
        "rows": [row(peer) for peer in told],
        "unheard": unheard,
        "own": found.summary.own,
        "failure": found.failure,
    }


@router.get("", name="network_page")
async def network_page(request: Request) -> Response:
    workbench = bench(request)
    return workbench.page(request, "pages/network.html", nav="network", **_context(await _found(workbench)))


@router.get("/lines", name="network_lines")
async def network_lines(request: Request) -> Response:
    """The page's content alone, asked again when a line has changed and, for the ages in it, twice a minute."""
    workbench = bench(request)
    return workbench.page(request, "fragments/network.html", **_context(await _found(workbench)))


@router.get("/lamp", name="network_lamp")
async def network_lamp(request: Request) -> Response:
    """The light of the shell: asked when a page opens, and whenever the live line says that something changed."""
    workbench = bench(request)
    async with workbench.database.transaction() as session:
        held = await service.summary(session, node=workbench.node, interval=workbench.settings.probe_interval)
    sign = LAMPS[held.lamp] if held.own is OwnLine.UP else OFFLINE
    return workbench.page(request, "fragments/lamp.html", sign=sign, concerned=held.concerned)
