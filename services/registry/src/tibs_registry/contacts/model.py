"""People who speak for an organisation, and what they agreed to. The only personal data that the registry holds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from sqlalchemy import Column as PlainColumn
from sqlalchemy import ForeignKey
from sqlmodel import Field as Column

from tibs_chassis.text import Input, Line
from tibs_chassis.values import Known, PastMoment
from tibs_contracts.codes import ConsentMethod
from tibs_registry.tables import Code, Table, moment
from tibs_registry.values import Email, Language, Phone, Short, at_most


class Basis(StrEnum):
    """Why the data may be processed: Article 6(1) of Regulation (EU) 2016/679."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    PUBLIC_TASK = "public_task"
    LEGITIMATE_INTEREST = "legitimate_interest"


class ContactEntry(Input):
    """A contact person as a broker enters it, with what the data are for and why they may be kept."""

    name: Annotated[Line, at_most(120)]
    function: Annotated[Line, at_most(120)] | None = None
    email: Email
    phone: Phone | None = None
    language: Language
    purpose: Line
    basis: Basis


class ConsentEntry(Input):
    """A person's yes to a text. `text_version` names the words that were agreed to."""

    text_version: Short
    method: Known[ConsentMethod]
    given_at: PastMoment


class Contact(Table, table=True):
    """A contact person of an organisation."""

    __tablename__ = "contact"

    id: UUID = Column(primary_key=True)
    actor_id: UUID = Column(sa_column=PlainColumn(ForeignKey("actor.id"), nullable=False, index=True))
    version: int
    name: str
    function: str | None
    email: str
    phone: str | None
    language: str
    purpose: str
    basis: Basis = Column(sa_type=Code(Basis))
    created_at: datetime = Column(sa_type=moment())
    updated_at: datetime = Column(sa_type=moment())


class ContactConsent(Table, table=True):
    """A consent, never changed but for its withdrawal."""

    __tablename__ = "contact_consent"

    id: UUID = Column(primary_key=True)
    contact_id: UUID = Column(sa_column=PlainColumn(ForeignKey("contact.id"), nullable=False, index=True))
    text_version: str
    method: ConsentMethod = Column(sa_type=Code(ConsentMethod))
    given_at: datetime = Column(sa_type=moment())
    recorded_by: str
    withdrawn_at: datetime | None = Column(sa_type=moment(), nullable=True)
