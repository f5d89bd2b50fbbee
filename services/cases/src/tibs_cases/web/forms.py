"""What was typed into a form, what was wrong with it, and how it reads as an API body."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from tibs_cases.web.i18n import gettext
from tibs_chassis.clock import now
from tibs_chassis.problems import FieldError, Invalid, Problem, field_errors

M = TypeVar("M", bound=BaseModel)


class Form:
    """The state of one form. Field names are those of the API; a dot stands for a nested field."""

    def __init__(self, values: Mapping[str, Any] | None = None, *, prefix: str = "") -> None:
        self.prefix = prefix
        self.known: dict[str, str] = {}
        self.errors: dict[str, list[str]] = {}
        self.problem: str | None = None
        self._values: dict[str, list[str]] = {}
        for name, value in (values or {}).items():
            self._values[name] = _as_typed(value)

    @classmethod
    def typed(cls, data: FormData, *, prefix: str = "") -> "Form":
        """As it came from the browser."""
        form = cls(prefix=prefix)
        for name, value in data.multi_items():
            if isinstance(value, str):
                form._values.setdefault(name, []).append(value.replace("\r\n", "\n"))
        return form

    # ------------------------------------------------------------ as templates read it

    def value(self, name: str) -> str:
        held = self._values.get(name)
        return held[0] if held else ""

    def many(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def wrong(self, name: str) -> list[str]:
        return self.errors.get(name, [])

    def tell(self, name: str, label: str) -> str:
        """Remembers what a field is called, for the summary on top. Gives nothing to print."""
        self.known[name] = label
        return ""

    # ------------------------------------------------------------ as routes read it

    def text(self, name: str) -> str:
        return self.value(name).strip()

    def optional(self, name: str) -> str | None:
        return self.text(name) or None

    def maybe_id(self, name: str) -> UUID | None:
        try:
            return UUID(self.text(name))
        except ValueError:
            return None

    def id(self, name: str) -> UUID:
        """An id that one of our pages put into the form. Raises Invalid when it is none."""
        found = self.maybe_id(name)
        if found is None:
            reason = gettext("should be the id of a record")
            wrong = FieldError(pointer=f"/{name}", reason=reason, held=self.text(name)[:80])
            raise Invalid(gettext("The form does not say what it is about."), errors=[wrong])
        return found

    def number(self, name: str) -> int | str | None:
        """A whole number; what is none stays as typed, so that the service names the fault."""
        held = self.text(name).replace(" ", "")
        return int(held) if re.fullmatch(r"-?[0-9]{1,15}", held) else held or None

    def day(self, name: str) -> date | None:
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            return None

    def moment(self, name: str) -> datetime | None:
        """When on a day something was said: now for today, noon for another day, nothing for none."""
        day = self.day(name)
        if day is None or day == now().date():
            return None
        return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)

    def flag(self, name: str) -> bool:
        return self.value(name) in ("yes", "on", "true")

    def chosen(self, name: str) -> list[str]:
        return [value for value in self.many(name) if value]

    def words(self, name: str) -> list[str]:
        """Keywords separated by commas or lines."""
        return [word.strip() for word in re.split(r"[,;\n]", self.value(name)) if word.strip()]

    # ------------------------------------------------------------ refusals

    def refuse(self, problem: Problem, *, names: Iterable[str] = ()) -> None:
        """Takes over what a service found wrong: each reason goes to its field. `names` are fields left unticked."""
        known = {**dict.fromkeys(names, ()), **self._values}
        self.problem = problem.detail or problem.title
        for error in problem.errors:
            self.errors.setdefault(field_of(error, known=known), []).append(_sentence(error))

    def require(self, names: Iterable[tuple[str, str]]) -> None:
        """Fields that the workbench itself cannot do without."""
        for name, reason in names:
            if not self.text(name):
                self.errors.setdefault(name, []).append(reason)
        if self.errors:
            self.problem = gettext("Something is missing.")


def parsed(model: type[M], values: Mapping[str, Any]) -> M:
    """What was typed, by the API's own rules. Raises Invalid with a reason for each field."""
    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        found = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        raise Invalid(gettext("Something does not fit yet."), errors=field_errors(found)) from error


def field_of(error: FieldError, *, known: Mapping[str, Sequence[str]]) -> str:
    """From a JSON pointer (`/partner_sought/task`, `/sectors/2`) to the name of a form field."""
    parts = [part for part in error.pointer.lstrip("/?").split("/") if part and not part.isdigit()]
    while len(parts) > 1 and ".".join(parts) not in known:
        if parts[0] in known:
            return parts[0]
        if any(name.startswith(f"{parts[0]}.") for name in known):
            break
        parts = parts[:-1]
    return ".".join(parts)


def _sentence(error: FieldError) -> str:
    """In the reader's language where we know what is wrong, else in the words of the rule."""
    match error.code:
        case "missing":
            return gettext("This is needed.")
        case "string_too_short" if error.limits.get("min_length") == 1:
            return gettext("This is needed.")
        case "string_too_short":
            return gettext("At least %(min_length)s characters are needed.") % error.limits
        case "string_too_long":
            return gettext("At most %(max_length)s characters fit.") % error.limits
        case "too_short":
            return gettext("Choose at least %(min_length)s.") % error.limits
        case "too_long":
            return gettext("Choose at most %(max_length)s.") % error.limits
        case "int_parsing" | "int_type" | "int_from_float":
            return gettext("A whole number is needed, such as 1998.")
        case "enum" | "literal_error":
            return gettext("Choose one from the list.")
        case "greater_than_equal":
            return gettext("%(ge)s or more is needed.") % error.limits
        case "less_than_equal":
            return gettext("%(le)s or less is needed.") % error.limits
        case "date_parsing" | "date_from_datetime_parsing":
            return gettext("A date is needed, such as 2026-11-27.")
        case "url_parsing":
            return gettext("A web address is needed, such as https://company.example.")
    reason = error.reason.strip()
    return reason[:1].upper() + reason[1:] + ("" if reason.endswith((".", "!", "?")) else ".")


def _as_typed(value: Any) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return ["yes"]
    if isinstance(value, list | tuple | set | frozenset):
        return [str(item) for item in value]
    return [str(value)]
