"""Tables of introductions."""

from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from tibs_cases.introductions.rules import Facts, IntroductionState, state_of
from tibs_cases.tables import PERSONAL, Table, code, moment
from tibs_contracts.codes import DeclineReason
from tibs_contracts.events import Side


class Introduction(Table, table=True):
    """This region's half of an introduction. `side` says which; the two halves never lie in one database.

    The columns of facts are the truth, `state` follows from them and stands here to be searched.
    """

    __tablename__ = "introduction"

    id: UUID = Field(primary_key=True)
    version: int = 0
    side: Side = Field(sa_type=code(Side))
    state: IntroductionState = Field(sa_type=code(IntroductionState), index=True)
    other_region: str
    case_id: UUID = Field(index=True)
    """The home region's case."""
    profile_id: UUID
    profile_reference: str
    profile_title: str
    need: dict[str, Any] = Field(sa_type=JSONB)
    message: str
    desk: str
    """The organisation whose broker asked."""
    broker: str | None = Field(default=None, index=True)
    client_actor_id: UUID | None = None
    """Our client, known in this node alone."""
    client_contact_id: UUID | None = None
    """The contact person that the broker had in mind; the one that counts is picked with the client's yes."""
    request_event: UUID | None = None
    contact_event: UUID | None = None

    requested: datetime = Field(sa_type=moment())
    received: datetime | None = Field(default=None, sa_type=moment())
    read: datetime | None = Field(default=None, sa_type=moment())
    acknowledged: datetime | None = Field(default=None, sa_type=moment())
    consented: datetime | None = Field(default=None, sa_type=moment())
    accepted: datetime | None = Field(default=None, sa_type=moment())
    declined: datetime | None = Field(default=None, sa_type=moment())
    withdrawn: datetime | None = Field(default=None, sa_type=moment())
    home_disclosed: datetime | None = Field(default=None, sa_type=moment())
    counterpart_disclosed: datetime | None = Field(default=None, sa_type=moment())
    home_completed: datetime | None = Field(default=None, sa_type=moment())
    counterpart_completed: datetime | None = Field(default=None, sa_type=moment())

    acknowledge_due: date | None = None
    answer_due: date | None = None
    decline_reason: DeclineReason | None = Field(default=None, sa_type=code(DeclineReason))
    note: str = ""
    """Why it was declined or withdrawn, in words."""
    own_consent: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    """Our client's yes: when, how, to which text, and by whom it was recorded."""
    other_consent: dict[str, Any] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    own_contact: dict[str, Any] | None = Field(
        default=None, sa_type=JSONB(none_as_null=True), sa_column_kwargs={"info": PERSONAL}
    )
    """DisclosedContact, as the consenting broker picked it: this and nothing else is released."""
    other_contact: dict[str, Any] | None = Field(
        default=None, sa_type=JSONB(none_as_null=True), sa_column_kwargs={"info": PERSONAL}
    )

    @property
    def facts(self) -> Facts:
        return Facts(**{field.name: getattr(self, field.name) for field in fields(Facts)})

    def hold(self, facts: Facts) -> None:
        """Joins facts to those held."""
        joined = self.facts.joined(facts)
        for field in fields(Facts):
            setattr(self, field.name, getattr(joined, field.name))
        self.state = state_of(joined)

    @property
    def feed(self) -> UUID:
        """The timeline that tells of it: the case's at home, its own at the counterpart."""
        return self.case_id if self.side is Side.HOME else self.id


class Direction(StrEnum):
    OUT = "out"
    IN = "in"


class Message(Table, table=True):
    """One broker's words to the other."""

    __tablename__ = "introduction_message"

    id: UUID = Field(primary_key=True)
    introduction_id: UUID = Field(index=True, foreign_key="introduction.id")
    direction: Direction = Field(sa_type=code(Direction))
    text: str
    language: str
    by: str | None = None
    event: UUID | None = None
    sent_at: datetime = Field(sa_type=moment())
    read_at: datetime | None = Field(default=None, sa_type=moment())
    """When its reader first opened it: the other broker if it went out, ours if it came in."""


class EarlyFact(Table, table=True):
    """A fact that came before the request it belongs to. Kept by who told it: ids of strangers prove nothing."""

    __tablename__ = "early_fact"

    region: str = Field(primary_key=True)
    introduction_id: UUID = Field(primary_key=True)
    event_id: UUID = Field(primary_key=True)
    type: str
    data: dict[str, Any] = Field(sa_type=JSONB)
    arrived_at: datetime = Field(sa_type=moment())
