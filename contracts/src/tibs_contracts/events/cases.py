"""What the cases service tells: the other region, the public, and its own node.

The case protocol has two halves, one in each region. A half writes only its own facts; together they are all that the
halves need to agree, in whatever order they arrive:

`requested` → `received` → (`message_sent` …) → `consented` (home client) + `accepted` (counterpart's client)
→ `contacts.disclosed` (one from each) → `introduced`; or `declined` by the counterpart, `withdrawn` by home. Either
half tells what of the other's was `read`.
"""

from datetime import date
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from tibs_contracts.codes import (
    ClosingReason,
    ConsentMethod,
    DeclineReason,
    LanguageCode,
    OpenCode,
    ProfileType,
    RegionCode,
    Sector,
)
from tibs_contracts.events.base import Event, Part
from tibs_contracts.events.registry import AnonymousClient
from tibs_contracts.topics import Channel


class Need(Part):
    """What the home client looks for, told without its name."""

    title: str
    summary: str
    description: str = ""
    language: LanguageCode
    profile_type: ProfileType | None = None
    profile_reference: str | None = None
    sectors: list[Sector] = []
    client: AnonymousClient


class Consent(Part):
    """A client's yes to one introduction. Who said it stays with the client's own broker."""

    given_at: AwareDatetime
    method: ConsentMethod
    text_version: str


class IntroductionRequested(Event):
    """A broker asks the broker of another region to introduce the client behind a profile."""

    type: ClassVar[str] = "eu.tibs.introduction.requested.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    case_id: UUID
    profile_id: UUID
    profile_reference: str
    need: Need
    message: str
    desk: str
    """The organisation whose broker asks."""
    requested_at: AwareDatetime


class IntroductionReceived(Event):
    """The request lies in the counterpart's queue; an answer is promised by `answer_due`."""

    type: ClassVar[str] = "eu.tibs.introduction.received.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    received_at: AwareDatetime
    acknowledge_due: date
    answer_due: date


class IntroductionAcknowledged(Event):
    """The counterpart's broker has seen the request and takes care of it."""

    type: ClassVar[str] = "eu.tibs.introduction.acknowledged.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    acknowledged_at: AwareDatetime


class IntroductionAccepted(Event):
    """The counterpart's client said yes to this introduction."""

    type: ClassVar[str] = "eu.tibs.introduction.accepted.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    consent: Consent
    accepted_at: AwareDatetime


class IntroductionConsented(Event):
    """The home client said yes to this introduction."""

    type: ClassVar[str] = "eu.tibs.introduction.consented.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    consent: Consent


class IntroductionDeclined(Event):
    """The counterpart says no, with a reason the home broker can tell the client."""

    type: ClassVar[str] = "eu.tibs.introduction.declined.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    reason: DeclineReason
    note: str = ""
    declined_at: AwareDatetime


class IntroductionWithdrawn(Event):
    """The home broker takes the request back."""

    type: ClassVar[str] = "eu.tibs.introduction.withdrawn.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    note: str = ""
    withdrawn_at: AwareDatetime


class IntroductionMessageSent(Event):
    """One broker writes to the other about an introduction: a question, an answer, a remark."""

    type: ClassVar[str] = "eu.tibs.introduction.message_sent.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    message_id: UUID
    text: str
    language: LanguageCode
    sent_at: AwareDatetime


class IntroductionRead(Event):
    """Somebody at this side's desk opened what the other side sent. Tells no name; told once for each thing sent."""

    type: ClassVar[str] = "eu.tibs.introduction.read.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    message_ids: list[UUID] = []
    """The messages read. The request is read with the first thing that the counterpart reads."""
    read_at: AwareDatetime


class IntroductionCompleted(Event):
    """This half holds the other client's contact: for it the two are introduced."""

    type: ClassVar[str] = "eu.tibs.introduction.completed.v1"
    channel: ClassVar[Channel] = Channel.CASES

    introduction_id: UUID
    completed_at: AwareDatetime


class DisclosedContact(Part):
    """The one thing that names a person, never sent but sealed: the content of `ContactsDisclosed.sealed`."""

    organisation: str
    country: str
    name: str
    function: str = ""
    email: str
    phone: str | None = None
    language: LanguageCode
    website: str | None = None
    broker: str
    broker_email: str | None = None


class ContactsDisclosed(Event):
    """After both consents: one side's contact, a JWE (compact) that only the receiving region can open."""

    type: ClassVar[str] = "eu.tibs.contacts.disclosed.v1"
    channel: ClassVar[Channel] = Channel.CONTACTS

    introduction_id: UUID
    sealed: str
    purpose: str
    disclosed_at: AwareDatetime


class CaseOpened(Event):
    """A region's broker works on a need."""

    type: ClassVar[str] = "eu.tibs.case.opened.v1"
    channel: ClassVar[Channel] = Channel.BROKERAGE

    case_id: UUID
    profile_type: ProfileType | None = None
    sectors: list[Sector] = []
    opened_at: AwareDatetime


class CaseIntroduced(Event):
    """Clients of two regions know each other now. Told by the home region alone, so that it counts once."""

    type: ClassVar[str] = "eu.tibs.case.introduced.v1"
    channel: ClassVar[Channel] = Channel.BROKERAGE

    case_id: UUID
    introduction_id: UUID
    partner_region: RegionCode
    sectors: list[Sector] = []
    introduced_at: AwareDatetime


class CaseClosed(Event):
    """The case came to its end."""

    type: ClassVar[str] = "eu.tibs.case.closed.v1"
    channel: ClassVar[Channel] = Channel.BROKERAGE

    case_id: UUID
    reason: ClosingReason
    sectors: list[Sector] = []
    closed_at: AwareDatetime


class Side(OpenCode):
    """Which half of an introduction speaks."""

    HOME = "home"
    COUNTERPART = "counterpart"
    UNKNOWN = "unknown"


class IntroductionStep(OpenCode):
    """What happened to an introduction, as one node tells its own services."""

    REQUESTED = "requested"
    RECEIVED = "received"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    CONSENTED = "consented"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    MESSAGE = "message"
    INTRODUCED = "introduced"
    UNKNOWN = "unknown"


class IntroductionMoved(Event):
    """An introduction took a step in this node: who is concerned, by person id, and where it stands."""

    type: ClassVar[str] = "eu.tibs.introduction.moved.v1"
    channel: ClassVar[Channel] = Channel.LOCAL

    introduction_id: UUID
    case_id: UUID
    side: Side
    step: IntroductionStep
    other_region: RegionCode
    title: str
    """The need's title: anonymous by rule."""
    concerned: list[str]
    """Person ids of those who should hear of it."""
    by: str | None = None
    """Person id of who did it here; none when the other region did."""
    due: date | None = None
    moved_at: AwareDatetime


class PromiseState(OpenCode):
    MADE = "made"
    REMINDED = "reminded"
    OVERDUE = "overdue"
    KEPT = "kept"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class PromiseMoved(Event):
    """A promise was made, is due soon, is overdue, was kept."""

    type: ClassVar[str] = "eu.tibs.promise.moved.v1"
    channel: ClassVar[Channel] = Channel.LOCAL

    promise_id: UUID
    kind: str
    state: PromiseState
    case_id: UUID
    introduction_id: UUID | None = None
    title: str
    responsible: str | None = None
    """Person id; none while nobody has taken it."""
    supervisor: str | None = None
    due: date
    moved_at: AwareDatetime
