"""What all events share, and the registry of them."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from tibs_contracts.codes import OpenCode
from tibs_contracts.envelope import aggregate_of
from tibs_contracts.topics import Channel


class Part(BaseModel):
    """A value inside an event. Writers may not send fields that are not declared; readers pass over them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Event(Part):
    """A fact. Subclasses name their `type` and the `channel` whose topic carries them."""

    type: ClassVar[str]
    channel: ClassVar[Channel]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        aggregate_of(cls.type)
        if _REGISTRY.setdefault(cls.type, cls) is not cls:
            raise TypeError(f"two events are called {cls.type}")

    @classmethod
    def aggregate(cls) -> str:
        """The aggregate that this event speaks of."""
        return aggregate_of(cls.type)

    @classmethod
    def read(cls, value: bytes) -> Self:
        """From the wire, as a tolerant reader: undeclared fields are passed over, new codes read as `unknown`.

        Raises pydantic.ValidationError when the data do not fit.
        """
        return cls.model_validate_json(value, extra="ignore")

    def write(self) -> bytes:
        """For the wire. Raises ValueError for a code that only readers may hold."""
        _refuse_unknown(self, path="")
        return self.model_dump_json(exclude_none=True).encode()


_REGISTRY: dict[str, type[Event]] = {}


def _refuse_unknown(value: object, *, path: str) -> None:
    match value:
        case OpenCode() if value.name == "UNKNOWN":
            raise ValueError(f"{path} held 'unknown', which no writer may send")
        case BaseModel():
            for name in type(value).model_fields:
                _refuse_unknown(getattr(value, name), path=f"{path}/{name}")
        case list() | tuple():
            for index, item in enumerate(value):
                _refuse_unknown(item, path=f"{path}/{index}")
        case _:
            pass


def all_events() -> dict[str, type[Event]]:
    """Every event by its type, sorted by name."""
    import tibs_contracts.events  # noqa: F401 - fills the registry

    return dict(sorted(_REGISTRY.items()))
