"""Somebody at the UI who knows that systems fail: waits, loads the page again, and sends a form again as it is."""

import threading
import time
from collections.abc import Callable, Iterator

import httpx

from tibs_devstack.people import Person
from tibs_devstack.visitor import Page, Visitor

PATIENCE = 60.0
_AWAY = frozenset({500, 502, 503, 504})
_BETWEEN = threading.Event()


def pauses(within: float) -> Iterator[None]:
    """Turns, a moment apart, until the time is over."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        yield
        _BETWEEN.wait(0.1)


class Again(httpx.BaseTransport):
    """Sends a request until somebody answers it. A form goes out byte by byte the same, its key included.

    With `twice`, the first answer to each form is lost on the way, and the form is sent once more.
    """

    def __init__(self, *, twice: bool = False) -> None:
        self._line = httpx.HTTPTransport(retries=0)
        self._twice = twice
        self.repeated = 0
        """Forms that were sent more than once."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        form = request.method == "POST"
        request.read()
        lose = self._twice and form
        tries = 0
        last: httpx.Response | httpx.TransportError | None = None
        for _ in pauses(PATIENCE):
            tries += 1
            try:
                answer = self._line.handle_request(request)
                answer.read()
            except httpx.TransportError as error:
                last = error
                continue
            last = answer
            if answer.status_code in _AWAY:
                continue
            if lose and answer.status_code < 400:
                lose = False
                continue
            break
        self.repeated += form and tries > 1
        if isinstance(last, httpx.TransportError):
            raise last
        assert last is not None
        return last

    def close(self) -> None:
        self._line.close()


class PatientVisitor(Visitor):
    """A visitor who loads a page again while one of its panels says that a service is away."""

    def __init__(self, *, url: str, person: Person, twice: bool = False) -> None:
        self.line = Again(twice=twice)
        super().__init__(url=url, person=person, transport=self.line)

    def _page(self, answer: httpx.Response) -> Page:
        page = super()._page(answer)
        for _ in pauses(PATIENCE):
            if not page.all(".banner-quiet"):
                break
            again = super()._page(self._client.get(page.url))
            page = Page(again.url, again.tree, page.trace_id)
        return page


def clumsy(*, url: str, person: Person) -> PatientVisitor:
    """Somebody whose line drops the answer to every form."""
    return PatientVisitor(url=url, person=person, twice=True)


MakeVisitor = Callable[..., Visitor]
