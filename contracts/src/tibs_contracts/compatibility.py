"""Which changes of a schema break somebody.

Events stay in topics for days or, compacted, for ever, and regions update when they like. So both ways must hold: a
reader of the released schema understands what is written today, and a reader of today understands what was written
then. That leaves two changes: a new optional field, and a new value in an open list. Everything else is a break, which
needs a new major type beside the old one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_WORDS_ONLY = frozenset({"title", "description", "examples", "deprecated", "$comment", "$id", "$schema", "$defs"})
_COMPARED_APART = frozenset({"properties", "required", "items", "anyOf", "enum", "type", "default", "$ref"})


def breaks_between(released: Mapping[str, Schema], current: Mapping[str, Schema]) -> list[str]:
    """Breaks of a whole set of schemas by event type; one sentence each, none when the change is compatible."""
    found: list[str] = []
    for event_type, schema in released.items():
        if event_type in current:
            found += [f"{event_type}{sentence}" for sentence in breaks(released=schema, current=current[event_type])]
        else:
            found.append(f"{event_type}: the event is gone; its readers wait for it")
    return found


def breaks(*, released: Schema, current: Schema) -> list[str]:
    """What in `current` breaks readers or events of `released`; each sentence begins with the path of the place."""
    comparison = _Comparison(released=released, current=current)
    return sorted(set(comparison.differences(released, current, path="")))


class _Comparison:
    """Walks two schemas side by side. References are followed within each schema."""

    def __init__(self, *, released: Schema, current: Schema) -> None:
        self._released = released
        self._current = current
        self._walking: set[tuple[str, str]] = set()

    def differences(self, old: Schema, new: Schema, *, path: str) -> Iterator[str]:
        pair = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(pair) and pair in self._walking:
            return  # A part that holds itself: compared already, one level up.
        self._walking.add(pair)
        if old.get("default") != new.get("default"):
            yield (
                f"{path}: the default changed from {old.get('default')!r} to {new.get('default')!r}; "
                "an event that leaves the field out changes its meaning"
            )
        yield from self._shapes(_followed(old, self._released), _followed(new, self._current), path=path)
        self._walking.discard(pair)

    def _shapes(self, old: Schema, new: Schema, *, path: str) -> Iterator[str]:
        if _values(old) is not None or _values(new) is not None:
            yield from _values_differ(old, new, path=path)
        elif "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old, new, path=path)
        elif old.get("type") != new.get("type"):
            yield f"{path}: the type changed from {_named(old)} to {_named(new)}"
        else:
            yield from _rules_differ(old, new, path=path)
            if "properties" in old or "properties" in new:
                yield from self._fields(old, new, path=path)
            if "items" in old or "items" in new:
                yield from self.differences(old.get("items", {}), new.get("items", {}), path=f"{path}/*")

    def _fields(self, old: Schema, new: Schema, *, path: str) -> Iterator[str]:
        old_fields: Mapping[str, Schema] = old.get("properties", {})
        new_fields: Mapping[str, Schema] = new.get("properties", {})
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        for name, field in old_fields.items():
            if name not in new_fields:
                yield f"{path}/{name}: the field was removed; readers of the released schema look for it"
                continue
            if name in old_required - new_required:
                yield f"{path}/{name}: the field became optional; readers of the released schema need it"
            if name in new_required - old_required:
                yield f"{path}/{name}: the field became required; events written before may lack it"
            yield from self.differences(field, new_fields[name], path=f"{path}/{name}")
        for name in new_fields.keys() - old_fields.keys():
            if name in new_required:
                yield f"{path}/{name}: a new field is required; events written before lack it"

    def _alternatives(self, old: Schema, new: Schema, *, path: str) -> Iterator[str]:
        """Alternatives are told apart by their type: in these models it is a shape, or nothing."""
        olds = _by_type(old, self._released)
        news = _by_type(new, self._current)
        for kind in olds.keys() - news.keys():
            yield f"{path}: {kind} is no longer allowed; events written before may hold it"
        for kind in news.keys() - olds.keys():
            yield f"{path}: {kind} is allowed now; readers of the released schema do not expect it"
        for kind in olds.keys() & news.keys():
            yield from self.differences(olds[kind], news[kind], path=path)


def _followed(schema: Schema, whole: Schema) -> Schema:
    """The schema itself, in place of a reference to it."""
    seen: set[str] = set()
    while (reference := schema.get("$ref")) is not None and reference not in seen:
        seen.add(reference)
        place: Any = whole
        for step in str(reference).removeprefix("#").strip("/").split("/"):
            place = place[step] if step else place
        schema = place
    return schema


def _by_type(schema: Schema, whole: Schema) -> dict[str, Schema]:
    alternatives: Iterable[Schema] = schema.get("anyOf", [schema])
    return {_named(_followed(each, whole)): each for each in alternatives}


def _named(schema: Schema) -> str:
    if _values(schema) is not None:
        return "string"
    kind = schema.get("type", "anything")
    return "/".join(kind) if isinstance(kind, list) else str(kind)


def _values(schema: Schema) -> list[Any] | None:
    """The values of a list, open (any other text may come) or closed; none for what is no list of values."""
    if "enum" in schema:
        return list(schema["enum"])
    if "const" in schema:
        return [schema["const"]]
    if _open(schema):
        return list(schema["anyOf"][0]["enum"])
    return None


def _open(schema: Schema) -> bool:
    match schema.get("anyOf"):
        case [{"enum": _}, {"type": "string"}]:
            return True
        case _:
            return False


def _values_differ(old: Schema, new: Schema, *, path: str) -> Iterator[str]:
    old_values, new_values = _values(old), _values(new)
    if old_values is None:
        yield f"{path}: the type narrowed from {_named(old)} to a list of values"
        return
    if new_values is None:
        yield f"{path}: the type changed from a list of values to {_named(new)}"
        return
    for value in old_values:
        if value not in new_values:
            yield f"{path}: the value {value!r} was removed; events written before may hold it"
    if _open(old) and not _open(new):
        yield f"{path}: the list of values was closed; later values become errors"
    if not _open(old):
        if _open(new):
            yield f"{path}: the list of values was opened; readers of the released schema refuse other values"
        for value in new_values:
            if value not in old_values:
                yield f"{path}: the value {value!r} is new in a closed list; readers of the released schema refuse it"


def _rules_differ(old: Schema, new: Schema, *, path: str) -> Iterator[str]:
    """Limits, patterns and formats: tighter breaks old events, looser breaks old readers."""
    for rule in sorted((old.keys() | new.keys()) - _WORDS_ONLY - _COMPARED_APART):
        if old.get(rule) != new.get(rule):
            yield f"{path}: {rule} changed from {old.get(rule, 'none')!r} to {new.get(rule, 'none')!r}"
