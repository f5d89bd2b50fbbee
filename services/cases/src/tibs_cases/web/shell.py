"""What every page stands in: the node, the person, the navigation, and how a template becomes an answer."""

import secrets
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

from tibs_cases.introductions.gateway import RegistryGateway
from tibs_cases.node import CasesNode
from tibs_cases.promises.rules import Calendar, calendar
from tibs_cases.settings import Settings
from tibs_cases.web import words
from tibs_cases.web.gateways import Matching, Notify, Registry
from tibs_cases.web.i18n import LANGUAGES, speaking
from tibs_cases.web.i18n import marked as _
from tibs_cases.web.rendering import environment
from tibs_cases.web.session import SignedIn
from tibs_chassis.auth import Principal, Role
from tibs_chassis.database import Database
from tibs_chassis.regions import Region

THEME_COOKIE = "tibs-theme"
LANGUAGE_COOKIE = "tibs-language"


@dataclass(frozen=True)
class Item:
    """One way of the navigation. `key` follows `g` on the keyboard."""

    code: str
    name: str
    href: str
    icon: str
    key: str


NAVIGATION = (
    Item("today", _("Today"), "/today", "home", "t"),
    Item("cases", _("Cases"), "/cases", "briefcase", "c"),
    Item("directory", _("Directory"), "/directory", "book", "d"),
    Item("profiles", _("Profiles"), "/profiles", "file-text", "p"),
    Item("clients", _("Clients"), "/actors", "building", "l"),
    Item("matches", _("Matches"), "/matches", "arrows-join", "m"),
    Item("network", _("Network"), "/network", "network", "n"),
)


@dataclass(frozen=True)
class Me:
    """The person as the shell shows it."""

    principal: Principal
    signed_in: SignedIn

    @property
    def name(self) -> str:
        return self.principal.name

    @property
    def csrf(self) -> str:
        return self.signed_in.csrf

    @property
    def role_names(self) -> str:
        return ", ".join(words.name("role", role) for role in sorted(self.principal.roles))

    def may(self, role: str) -> bool:
        return Role(role) in self.principal.roles


class Workbench:
    """The pages' own composition: templates and the other services. It is `app.state.workbench`."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        node: CasesNode,
        registry: Registry,
        contacts: RegistryGateway,
        matching: Matching,
        notify: Notify,
        itself: Principal,
    ) -> None:
        self.settings = settings
        self.database = database
        self.node = node
        self.registry = registry
        self.contacts = contacts
        self.matching = matching
        self.notify = notify
        self.itself = itself
        self.region: Region = node.regions[node.region]
        self.calendar: Calendar = calendar(self.region.holidays, self.region.time_zone)
        self.templates: Environment = environment(self.calendar)

    def region_name(self, code: str, language: str = "en") -> str:
        """A region's name in a language; the code itself for one that is not in our list yet."""
        return self.node.regions[code].name_in(language) if code in self.node.regions else code.upper()

    def page(
        self,
        request: Request,
        template: str,
        *,
        nav: str | None = None,
        status: int = 200,
        language: str | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """A whole page, or a fragment, in the reader's language unless another is named."""
        signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
        language = language or (signed_in.principal.language if signed_in else preferred_language(request))
        with speaking(language):
            text = self.templates.get_template(template).render(
                me=Me(signed_in.principal, signed_in) if signed_in else None,
                key=new_key,
                nav=nav,
                navigation=NAVIGATION,
                region=self.region,
                region_name=lambda code: self.region_name(code, language),
                language=language,
                theme=request.cookies.get(THEME_COOKIE, "auto"),
                sample_notice=self.settings.sample_notice,
                here=here(request),
                **context,
            )
        return HTMLResponse(text, status_code=status)


def new_key() -> str:
    """The key of one form as it was shown: sent twice, it is done once."""
    return secrets.token_urlsafe(18)


def here(request: Request) -> str:
    """This page's own address, to come back to."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def inside(address: str | None, *, otherwise: str) -> str:
    """An address of ours to go to; anything that leads elsewhere is replaced."""
    if address and address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable():
        return address
    return otherwise


def preferred_language(request: Request, *, otherwise: str = "en") -> str:
    """The language that was last chosen in this browser; until one is, English or the one that is named."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, otherwise)
    return chosen if chosen in LANGUAGES else "en"


def bench(request: Request) -> Workbench:
    held: Workbench = request.app.state.workbench
    return held


def caller(request: Request) -> Principal:
    principal: Principal = request.state.principal
    return principal


def go(address: str) -> RedirectResponse:
    """After a form was done: the page to read next."""
    return RedirectResponse(address, status_code=303)
