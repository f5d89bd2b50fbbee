"""The main job told once for several tests, with the trace of every form that was sent."""

from dataclasses import dataclass

import httpx

from tibs_devstack.story import Told


@dataclass(frozen=True)
class Telling:
    """What came of it."""

    told: Told
    lines: list[str]
    sent: list[tuple[str, str, str]]
    """Region, path and trace id of each form, in order."""

    def trace_of(self, ending: str) -> str:
        """Of the last form that went to an address with this ending."""
        return next(trace for _, path, trace in reversed(self.sent) if path.endswith(ending))


class Noting(httpx.BaseTransport):
    """Notes the trace of each form on its way."""

    def __init__(self, sent: list[tuple[str, str, str]], *, region: str) -> None:
        self._line = httpx.HTTPTransport()
        self._sent = sent
        self._region = region

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._line.handle_request(request)
        if request.method == "POST" and "x-trace-id" in answer.headers:
            self._sent.append((self._region, request.url.path, answer.headers["x-trace-id"]))
        return answer

    def close(self) -> None:
        self._line.close()
