"""Somebody at the UI without a browser: signs in, opens pages, fills in forms as they stand there."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

from tibs_devstack.people import Person


class Stuck(Exception):
    """The page is not as a person would need it; the message says which and what it showed."""


@dataclass(frozen=True)
class Page:
    """A page as it was answered."""

    url: str
    tree: LexborHTMLParser
    trace_id: str | None

    @property
    def path(self) -> str:
        return httpx.URL(self.url).path

    @property
    def text(self) -> str:
        """All that stands on it, in one line."""
        body = self.tree.body
        return " ".join((body.text(separator=" ") if body is not None else "").split())

    def one(self, selector: str) -> LexborNode:
        """The first element for a selector; Stuck if there is none."""
        found = self.tree.css_first(selector)
        if found is None:
            raise Stuck(f"{self.url} has no {selector}; it shows: {self.text[:400]}")
        return found

    def all(self, selector: str) -> list[LexborNode]:
        return self.tree.css(selector)

    def link(self, selector: str) -> str:
        return urljoin(self.url, self.one(selector).attributes.get("href") or "")


def _fields(form: LexborNode) -> list[tuple[str, str]]:
    """What a browser would send if nobody changed anything."""
    sent: list[tuple[str, str]] = []
    for field in form.css("input, textarea, select"):
        name = field.attributes.get("name")
        if not name or "disabled" in field.attributes:
            continue
        if field.tag == "textarea":
            sent.append((name, field.text()))
        elif field.tag == "select":
            sent += [(name, _value(option)) for option in _chosen(field)]
        elif field.attributes.get("type") in ("checkbox", "radio"):
            if "checked" in field.attributes:
                sent.append((name, field.attributes.get("value") or "on"))
        elif field.attributes.get("type") not in ("submit", "button", "file", "image"):
            sent.append((name, field.attributes.get("value") or ""))
    return sent


def _chosen(select: LexborNode) -> list[LexborNode]:
    options = select.css("option")
    marked = [option for option in options if "selected" in option.attributes]
    return marked or ([] if "multiple" in select.attributes else options[:1])


def _value(option: LexborNode) -> str:
    value = option.attributes.get("value")
    return value if value is not None else option.text(strip=True)


class Visitor:
    """A person at one region's UI."""

    def __init__(self, *, url: str, person: Person, transport: httpx.BaseTransport | None = None) -> None:
        self.person = person
        self._client = httpx.Client(
            base_url=url, follow_redirects=True, timeout=30.0, trust_env=False, transport=transport
        )

    def close(self) -> None:
        self._client.close()

    def sign_in(self) -> Page:
        """By the region's identity provider, as a person would: choose oneself there, come back signed in."""
        provider = self._page(self._client.get("/sign-in/start"))
        chosen = next(
            (form for form in provider.all("form") if self.person.sub in (form.html or "")),
            None,
        )
        if chosen is None:
            raise Stuck(f"{provider.url} does not offer {self.person.name}; it shows: {provider.text[:300]}")
        return self._send(provider, chosen, {}, button=self.person.sub)

    def open(self, path: str) -> Page:
        return self._page(self._client.get(path))

    def submit(self, page: Page, form: str, /, **values: str | list[str]) -> Page:
        """Sends a form, named by a selector, with these values over those that stand in it."""
        return self._send(page, page.one(form), values)

    def until(self, path: str, ready: Callable[[Page], object], *, what: str, within: float = 60.0) -> Page:
        """Opens a page again until it shows what is waited for; Stuck after `within` seconds."""
        end = time.monotonic() + within
        while True:
            page = self.open(path)
            if ready(page):
                return page
            if time.monotonic() > end:
                raise Stuck(f"waited {within:.0f} s for {what}; {page.url} shows: {page.text[:500]}")
            time.sleep(0.2)

    def _send(
        self, page: Page, form: LexborNode, values: Mapping[str, str | list[str]], *, button: str | None = None
    ) -> Page:
        fields = _fields(form)
        known = {name for name, _ in fields} | {
            name for one in form.css("[name]") if (name := one.attributes.get("name"))
        }
        if unknown := set(values) - known:
            raise Stuck(f"the form at {page.url} has no field {', '.join(sorted(unknown))}; it has {sorted(known)}")
        data: dict[str, list[str]] = {}
        for name, value in fields:
            if name not in values:
                data.setdefault(name, []).append(value)
        for name, given in values.items():
            data[name] = given if isinstance(given, list) else [given]
        for press in form.css("button[name]"):
            value = press.attributes.get("value") or ""
            if button is not None and value == button:
                data[press.attributes["name"] or ""] = [value]
        target = urljoin(page.url, form.attributes.get("action") or "")
        method = (form.attributes.get("method") or "get").upper()
        headers = {"Origin": str(httpx.URL(page.url).copy_with(path="/", query=None)).rstrip("/")}
        headers |= {"Sec-Fetch-Site": "same-origin", "Referer": page.url}
        extra: dict[str, Any] = {"params": data} if method == "GET" else {"data": data}
        return self._page(self._client.request(method, target, headers=headers, **extra))

    def _page(self, answer: httpx.Response) -> Page:
        # Of what was asked for, not of the page one was sent on to.
        trace_id = [*answer.history, answer][0].headers.get("x-trace-id")
        page = Page(str(answer.url), LexborHTMLParser(answer.text), trace_id)
        if answer.status_code >= 400:
            raise Stuck(f"{answer.request.method} {answer.url} answered {answer.status_code}: {page.text[:500]}")
        return page
