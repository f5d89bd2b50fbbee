"""Problem documents (RFC 9457): what was wrong, what it held, what would be right."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from tibs_chassis.log import logger

MEDIA_TYPE = "application/problem+json"
_TYPES = "https://tibs.example/problems/"
_HELD_LENGTH = 80


class FieldError(BaseModel):
    """One field that was wrong. `pointer` is a JSON pointer into the body, or `?name` in the query, or a header."""

    pointer: str
    reason: str
    held: str | None = None
    code: str | None = None
    """What is wrong, for programs: `missing`, `string_too_short`, …; None for a rule of the domain."""
    limits: dict[str, int | float] = {}
    """The bounds that the reason speaks of, such as `max_length`."""


class ProblemDocument(BaseModel):
    """The body of every answer from 400 up."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[FieldError] = []


class Problem(Exception):
    """Raised anywhere below the edge; the edge answers with it and takes the transaction back."""

    def __init__(
        self,
        *,
        status: int,
        slug: str,
        title: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.errors = list(errors)
        self.headers = headers or {}
        self.extensions = extensions

    def document(self, *, instance: str | None = None) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": _TYPES + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if instance is not None:
            document["instance"] = instance
        if self.errors:
            document["errors"] = [error.model_dump(exclude_none=True, exclude_defaults=True) for error in self.errors]
        return document | self.extensions

    @classmethod
    def from_document(cls, document: dict[str, Any], *, status: int) -> "Problem":
        """What another service answered, raised here again."""
        known = {"type", "title", "status", "detail", "instance", "errors"}
        return cls(
            status=status,
            slug=str(document.get("type", "unknown")).rpartition("/")[2],
            title=str(document.get("title", "The request was refused")),
            detail=str(document.get("detail", "")),
            errors=[FieldError.model_validate(error) for error in document.get("errors", [])],
            **{name: value for name, value in document.items() if name not in known},
        )


class NotFound(Problem):
    def __init__(self, what: str, id: object) -> None:
        super().__init__(status=404, slug="not-found", title="Not found", detail=f"There is no {what} {id} here.")


class Conflict(Problem):
    def __init__(self, detail: str, *, slug: str = "conflict", title: str = "Not possible now", **more: Any) -> None:
        super().__init__(status=409, slug=slug, title=title, detail=detail, **more)


class Forbidden(Problem):
    def __init__(self, detail: str) -> None:
        super().__init__(status=403, slug="forbidden", title="Not allowed", detail=detail)


class Unauthenticated(Problem):
    def __init__(self, detail: str) -> None:
        super().__init__(
            status=401,
            slug="unauthenticated",
            title="Sign in first",
            detail=detail,
            headers={"WWW-Authenticate": "Bearer"},
        )


class Invalid(Problem):
    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(status=422, slug="invalid", title="The input is not valid", detail=detail, errors=errors)


class Unavailable(Problem):
    """Something that the answer needs is away for now."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            status=503, slug="unavailable", title="Not available now", detail=detail, headers={"Retry-After": "5"}
        )


def _pointer(location: Sequence[int | str]) -> str:
    place, *path = [str(part) for part in location] or ["body"]
    match place:
        case "body":
            return "/" + "/".join(path)
        case "query":
            return "?" + ".".join(path)
        case _:
            return f"{place} {'.'.join(path)}".strip()


_REASONS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "string_type": "should be text",
    "string_too_short": "should have at least {min_length} characters",
    "string_too_long": "should have at most {max_length} characters",
    "too_short": "should have at least {min_length} entries",
    "too_long": "should have at most {max_length} entries",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "enum": "should be one of {expected}",
    "literal_error": "should be one of {expected}",
    "greater_than_equal": "should be {ge} or more",
    "less_than_equal": "should be {le} or less",
    "date_parsing": "should be a date such as 2026-11-27",
    "date_from_datetime_parsing": "should be a date such as 2026-11-27",
    "datetime_parsing": "should be a time such as 2026-11-27T10:00:00Z",
    "datetime_from_date_parsing": "should be a time such as 2026-11-27T10:00:00Z",
    "uuid_parsing": "should be a UUID",
    "url_parsing": "should be a web address such as https://company.example",
    "model_attributes_type": "should be an object",
    "dict_type": "should be an object",
    "list_type": "should be a list",
    "json_invalid": "is not JSON",
}
"""Pydantic's errors by type, as sentences that follow the field's name. Others keep the library's words."""


def _reason(problem: Any) -> str:
    template = _REASONS.get(problem["type"])
    if template is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] in ("string_too_short", "too_short") and problem["ctx"]["min_length"] == 1:
        return "should not be empty"
    return template.format(**problem.get("ctx", {}))


def field_errors(problems: Sequence[Any]) -> list[FieldError]:
    """Pydantic's errors as ours. What was held is cut short, and left out where it is the whole body."""
    found = []
    for problem in problems:
        held = problem.get("input")
        scalar = isinstance(held, str | int | float | bool)
        found.append(
            FieldError(
                pointer=_pointer(problem["loc"]),
                reason=_reason(problem),
                held=str(held).encode("unicode_escape").decode()[:_HELD_LENGTH] if scalar else None,
                code=problem["type"] if problem["type"] in _REASONS else None,
                limits={
                    name: bound for name, bound in problem.get("ctx", {}).items() if isinstance(bound, int | float)
                },
            )
        )
    return found


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    return JSONResponse(
        problem.document(instance=request.url.path),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def install(app: FastAPI) -> None:
    """Every error of the application leaves it as a problem document."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, problem: Problem) -> JSONResponse:
        return problem_response(request, problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = field_errors(error.errors())
        count = len(errors)
        detail = "One field is not valid." if count == 1 else f"{count} fields are not valid."
        return problem_response(request, Invalid(detail, errors=errors))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        titles = {404: "Not found", 405: "Method not allowed", 413: "Too large"}
        problem = Problem(
            status=error.status_code,
            slug={404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused"),
            title=titles.get(error.status_code, "The request was refused"),
            detail=f"{request.method} {request.url.path}: {error.detail}.",
            headers=dict(error.headers or {}),
        )
        return problem_response(request, problem)

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> JSONResponse:
        logger.exception("request.failed", path=request.url.path, method=request.method)
        problem = Problem(
            status=500,
            slug="internal",
            title="Something went wrong here",
            detail="Nothing was changed. The incident was logged; try again, or tell the operator the trace id.",
        )
        return problem_response(request, problem)
