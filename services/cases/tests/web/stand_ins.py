"""Services of the node as the pages call them: real requests, answers made up by the test."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any

import httpx

from tibs_chassis.client import ServiceClient
from tibs_chassis.problems import Problem


@dataclass
class Call:
    """One request that a page sent to a service."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    claims: dict[str, Any]
    headers: httpx.Headers


@dataclass
class StandIn:
    """Answers by method and path; whatever has no answer is away."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        claims = request.headers["authorization"].split(".")[1]
        call = Call(
            method=request.method,
            path=request.url.path.removeprefix("/api/v1"),
            query=dict(request.url.params),
            body=json.loads(request.content) if request.content else None,
            claims=json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4))),
            headers=request.headers,
        )
        self.calls.append(call)
        answer = self.answers.get((call.method, call.path))
        if answer is None:
            raise httpx.ConnectError("away")
        if isinstance(answer, Problem):
            document = {
                "title": answer.title,
                "detail": answer.detail,
                "errors": [error.model_dump() for error in answer.errors],
            }
            return httpx.Response(answer.status, json=document, headers={"content-type": "application/problem+json"})
        return httpx.Response(200, json=answer)

    def sent(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def take_over(self, client: ServiceClient) -> None:
        """From now on the client's requests come here."""
        client._client = httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://stand-in")
