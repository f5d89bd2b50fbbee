"""The mail catcher: `python -m tibs_devstack.parts.mail_server folder smtp-port http-port`.

`/` lists the mails, `/mails/{id}` shows one, `/api/mails?to=` and `/api/mails/{id}` are the same for programs, and
DELETE `/api/mails` forgets them all. A mail's own HTML is shown in a frame that may run and load nothing; its links
open in a tab of their own.
"""

import asyncio
import email
import email.policy
import sys
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession
from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_MAX_SIZE = 5 * 1024 * 1024
_PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'"
# A world of its own, without origin: no script, no form, no load, no way to the window around it.
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
_FRAME_POLICY = f"sandbox {_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: light-dark(#f4f6f8, #12171c);
  color: light-dark(#1b2733, #e6ebf0); }
a { color: light-dark(#0b5ea8, #7ab8ee); } h1 { font-size: 1.35rem; overflow-wrap: anywhere; }
ul { list-style: none; padding: 0; } .box, li a { background: light-dark(#fff, #1b232b); border-radius: 8px; }
li a { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .6rem 1rem; margin: .4rem 0;
  color: inherit; text-decoration: none; } li a:hover { outline: 2px solid #0b6bb8; }
h2 { font-size: 1.05rem; } time { white-space: nowrap; font-size: .875rem; opacity: .75; }
@media (max-width: 36rem) { li a { grid-template-columns: 1fr; } }
li strong { overflow-wrap: anywhere; } li small { opacity: .75; grid-column: 1 / -1; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0 1rem; } dt { opacity: .75; } dd { margin: 0;
  overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; } iframe { width: 100%; height: 32rem; border: 0;
  background: #fff; border-radius: 8px; }
"""
_HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ title }}</title>
<link rel="stylesheet" href="/style.css"></head><body>"""
_TEMPLATES = {
    "list": _HEAD
    + """<h1>Mail of this demonstration{% if to %} to {{ to }}{% endif %}</h1>
<p>Nothing here has left this machine.{% if to %} <a href="/">Show all</a>{% endif %}</p>
<ul>{% for mail in mails %}<li><a href="/mails/{{ mail.id }}"><strong>{{ mail.subject or "(no subject)" }}</strong>
<time datetime="{{ mail.at }}">{{ mail.at[:16] | replace("T", " ") }} UTC</time>
<small>to {{ mail.to | join(", ") }} · from {{ mail.from }}</small></a></li>
{% else %}<li>No mail yet. Reload when something should have come.</li>{% endfor %}</ul></body></html>""",
    "one": _HEAD
    + """<p><a href="/">All mail</a></p><h1>{{ mail.subject or "(no subject)" }}</h1>
<dl><dt>To</dt><dd>{{ mail.to | join(", ") }}</dd><dt>From</dt><dd>{{ mail.from }}</dd>
<dt>Received</dt><dd>{{ mail.at[:19] | replace("T", " ") }} UTC</dd></dl>
{% if mail.html %}<h2>As HTML</h2>
<iframe sandbox="{{ sandbox }}" title="The mail as HTML" src="/mails/{{ mail.id }}/html"></iframe>{% endif %}
{% if mail.text %}<h2>As text</h2><pre class="box">{{ mail.text }}</pre>{% endif %}
<p><a href="/mails/{{ mail.id }}/raw">Source</a></p></body></html>""",
}


class Mailbox:
    """Mails as files, oldest first; the file name is the id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._mails = [self._read(path) for path in sorted(folder.glob("*.eml"))]

    def add(self, envelope: Envelope) -> None:
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        now = datetime.now(UTC)
        path = self._folder / f"{now:%Y%m%dT%H%M%S%f}-{len(self._mails)}.eml"
        # The envelope says who gets it; the To header may say anything.
        head = f"X-Envelope-To: {','.join(envelope.rcpt_tos)}\r\nX-Received-At: {now.isoformat()}\r\n".encode()
        path.write_bytes(head + raw)
        self._mails.append(self._read(path))

    def _read(self, path: Path) -> dict[str, Any]:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        return {
            "id": path.stem,
            "at": str(message["X-Received-At"]),
            "from": str(message["From"] or ""),
            "to": str(message["X-Envelope-To"]).split(","),
            "subject": str(message["Subject"] or ""),
            "text": _part(message, "plain"),
            "html": _part(message, "html"),
            "headers": {name: str(value) for name, value in message.items() if not name.startswith("X-Envelope-")},
        }

    def find(self, *, to: str | None) -> list[dict[str, Any]]:
        """Newest first."""
        return [mail for mail in reversed(self._mails) if to is None or to.lower() in map(str.lower, mail["to"])]

    def get(self, mail_id: str) -> dict[str, Any] | None:
        return next((mail for mail in self._mails if mail["id"] == mail_id), None)

    def raw(self, mail_id: str) -> bytes:
        return (self._folder / f"{mail_id}.eml").read_bytes()

    def clear(self) -> None:
        for mail in self._mails:
            (self._folder / f"{mail['id']}.eml").unlink(missing_ok=True)
        self._mails = []


def _part(message: EmailMessage, kind: str) -> str | None:
    body = message.get_body((kind,))
    if body is None:
        return None
    try:
        return str(body.get_content())
    except (LookupError, UnicodeError):  # an encoding that nobody knows: show what can be shown
        payload = body.get_payload(decode=True)
        return payload.decode(errors="replace") if isinstance(payload, bytes) else str(payload)


class Catcher:
    """What aiosmtpd hands mails to."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802 (its name)
        self._mailbox.add(envelope)
        return "250 Kept"


def create_app(mailbox: Mailbox) -> Starlette:
    """The page and its JSON."""
    pages = Environment(loader=DictLoader(_TEMPLATES), autoescape=True)

    def page(name: str, status: int = 200, **context: Any) -> Response:
        text = pages.get_template(name).render(**context)
        return HTMLResponse(
            text, status, headers={"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-store"}
        )

    def asked(request: Request) -> dict[str, Any] | None:
        return mailbox.get(request.path_params["mail_id"])

    async def listing(request: Request) -> Response:
        to = request.query_params.get("to")
        return page("list", title="Mail", mails=mailbox.find(to=to), to=to)

    async def one(request: Request) -> Response:
        mail = asked(request)
        if mail is None:
            return PlainTextResponse("There is no such mail.", 404)
        return page("one", title=mail["subject"] or "Mail", mail=mail, sandbox=_SANDBOX)

    async def html(request: Request) -> Response:
        mail = asked(request)
        text = '<base target="_blank">' + ((mail or {}).get("html") or "")
        return HTMLResponse(text, headers={"Content-Security-Policy": _FRAME_POLICY})

    async def raw(request: Request) -> Response:
        mail = asked(request)
        if mail is None:
            return PlainTextResponse("There is no such mail.", 404)
        return PlainTextResponse(mailbox.raw(mail["id"]), headers={"X-Content-Type-Options": "nosniff"})

    async def api_listing(request: Request) -> Response:
        if request.method == "DELETE":
            mailbox.clear()
            return Response(status_code=204)
        found = mailbox.find(to=request.query_params.get("to"))
        return JSONResponse({"items": found, "next": None, "total": len(found)})

    async def api_one(request: Request) -> Response:
        mail = asked(request)
        return JSONResponse(mail) if mail else JSONResponse({"title": "There is no such mail.", "status": 404}, 404)

    async def style(request: Request) -> Response:
        return Response(_STYLE, media_type="text/css")

    return Starlette(
        routes=[
            Route("/", listing),
            Route("/style.css", style),
            Route("/mails/{mail_id}", one),
            Route("/mails/{mail_id}/html", html),
            Route("/mails/{mail_id}/raw", raw),
            Route("/api/mails", api_listing, methods=["GET", "DELETE"]),
            Route("/api/mails/{mail_id}", api_one),
        ]
    )


async def serve(folder: Path, smtp_port: int, http_port: int) -> None:
    mailbox = Mailbox(folder)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SMTP(Catcher(mailbox), data_size_limit=_MAX_SIZE, enable_SMTPUTF8=True, loop=loop),
        "127.0.0.1",
        smtp_port,
    )
    async with smtp:
        web = uvicorn.Config(create_app(mailbox), host="127.0.0.1", port=http_port, log_level="warning", lifespan="off")
        await uvicorn.Server(web).serve()


def main() -> None:
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
