"""The mail that a notice becomes. Pure but for the signature in its link."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from tibs_chassis.regions import Regions
from tibs_notify.deliveries.rules import domain_of
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import TYPE_OF
from tibs_notify.notices.texts import words_of
from tibs_notify.preferences.links import UnsubscribeLinks
from tibs_notify.words import marked as _
from tibs_notify.words import say

OPEN = _("Open in TIBS")
WHY = _("You receive this mail as a member of the brokerage desk ({region}). Nobody reads answers to it.")
MUTE = _("Switch off mails of this kind")
ALWAYS = _("Mails of this kind cannot be switched off, because somebody waits for you.")

_TEMPLATES = Environment(
    loader=PackageLoader("tibs_notify.deliveries"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _LinkHeader(UnstructuredHeader):
    """A header that holds a link: on a line of its own, however long. As encoded words no reader would find it."""

    name: str

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}:{policy.linesep} {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
# typeshed wants a BaseHeader here; the registry mixes it in itself.
_HEADERS.map_to_type("list-unsubscribe", _LinkHeader)  # type: ignore[arg-type]
_POLICY = SMTP.clone(header_factory=_HEADERS)


@dataclass(frozen=True)
class Letterhead:
    """What is the same in every mail of a node."""

    sender: str
    region: str
    regions: Regions
    public_url: str
    links: UnsubscribeLinks


def compose(
    notice: Notice, *, delivery_id: UUID, address: str, language: str, at: datetime, head: Letterhead
) -> EmailMessage:
    """The mail of a delivery. Its Message-ID comes from the delivery: the same mail sent twice is known as one."""
    words = words_of(notice.what, notice.parameters, language=language, regions=head.regions)
    region = head.regions[head.region].name_in(language)
    unsubscribe = None
    if not notice.critical:
        unsubscribe = head.links.make(person=notice.person, notice_type=TYPE_OF[notice.what], language=language)
    parameters = {
        "language": language,
        "title": words.title,
        "text": words.text,
        "link": f"{head.public_url}{notice.link}",
        "open": say(OPEN, language=language),
        "why": say(WHY, language=language, region=region),
        "unsubscribe": unsubscribe,
        "last_line": say(ALWAYS if unsubscribe is None else MUTE, language=language),
    }
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = head.sender
    mail["To"] = address
    mail["Subject"] = words.title
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{delivery_id}@{domain_of(head.sender)}>"
    # No out-of-office answers, please.
    mail["Auto-Submitted"] = "auto-generated"
    if unsubscribe is not None:
        mail["List-Unsubscribe"] = f"<{unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_TEMPLATES.get_template("notice.txt").render(parameters), cte="quoted-printable")
    mail.add_alternative(
        _TEMPLATES.get_template("notice.html").render(parameters), subtype="html", cte="quoted-printable"
    )
    # After the bodies: making the mail multipart moves headers that speak of content into the first part.
    mail["Content-Language"] = language
    return mail
