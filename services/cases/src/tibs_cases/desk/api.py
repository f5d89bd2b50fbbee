"""People of the desk over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import AfterValidator, StringConstraints

from tibs_cases.desk import service
from tibs_cases.desk.model import Person
from tibs_cases.values import Here, Language, PersonId
from tibs_chassis.auth import Caller, Role
from tibs_chassis.edge import EdgeRoute, Session, etag
from tibs_chassis.problems import FieldError, Problem
from tibs_chassis.text import Input, Line, Output
from tibs_chassis.values import Each, Page

router = APIRouter(prefix="/api/v1/people", tags=["people"], route_class=EdgeRoute)


def _of_people(role: Role) -> Role:
    if role is Role.NODE:
        raise ValueError("is the role of services, not of people")
    return role


Email = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+$")]


class PersonBody(Input):
    """A person as a lead enters it; roles and name follow the identity provider at the next sign-in."""

    name: Line
    email: Email | None = None
    language: Language = "en"
    roles: Each[Annotated[Role, AfterValidator(_of_people)]]
    absent_until: date | None = None
    deputy: PersonId | None = None


class AbsenceBody(Input):
    """The last day away, and who stands in; both empty for somebody who is back."""

    absent_until: date | None = None
    deputy: PersonId | None = None


class PersonOut(Output):
    id: str
    version: int
    name: str
    email: str | None
    language: str
    roles: list[str]
    absent_until: date | None
    deputy: str | None


def _answer(person: Person, response: Response) -> PersonOut:
    response.headers.update(etag(person.version))
    return PersonOut.model_validate(person)


@router.get("")
async def list_people(session: Session) -> Page[PersonOut]:
    people = await service.people(session)
    return Page(items=[PersonOut.model_validate(person) for person in people], total=len(people))


@router.get("/{person}")
async def get_person(person: PersonId, session: Session, response: Response) -> PersonOut:
    """Who somebody is and where mail reaches them: asked by notify at the moment of sending."""
    return _answer(await service.person(session, person_id=person), response)


@router.put("/{person}")
async def put_person(
    person: PersonId,
    body: PersonBody,
    session: Session,
    caller: Caller,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> PersonOut:
    """Enters somebody, or changes what the desk knows; with If-Match only the version that was read."""
    changed = await service.put_person(
        session,
        principal=caller,
        person_id=person,
        name=body.name,
        email=body.email,
        language=body.language,
        roles=frozenset(body.roles),
        absent_until=body.absent_until,
        deputy=body.deputy,
        expected=_version(if_match),
    )
    return _answer(changed, response)


@router.put("/{person}/absence")
async def put_absence(
    person: PersonId, body: AbsenceBody, session: Session, caller: Caller, node: Here, response: Response
) -> PersonOut:
    """Somebody goes away or comes back."""
    changed = await service.arrange_absence(
        session,
        node=node,
        principal=caller,
        person_id=person,
        absent_until=body.absent_until,
        deputy=body.deputy,
    )
    return _answer(changed, response)


def _version(if_match: str | None) -> int | None:
    if if_match is None:
        return None
    number = if_match.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise Problem(
            status=400,
            slug="malformed-etag",
            title="Not an ETag of ours",
            detail="If-Match should hold one ETag as it was read.",
            errors=[FieldError(pointer="header If-Match", reason='should be like "3"', held=if_match[:80])],
        )
    return int(number)
