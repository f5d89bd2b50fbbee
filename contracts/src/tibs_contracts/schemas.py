"""The JSON Schema of every event, for readers that do not use these models.

    python -m tibs_contracts.schemas            writes contracts/schemas/<type>.json
    python -m tibs_contracts.schemas --check    says what is stale, and fails
    python -m tibs_contracts.schemas --release 0.2.0    freezes the schemas as contracts/released/0.2.0

The content model is open: fields that a schema does not name may come, and a value list may hold values that it does
not name yet. What counts as a change that readers survive is in `compatibility`.
"""

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from tibs_contracts.codes import OpenCode
from tibs_contracts.events import Event, all_events

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parents[2] / "schemas"
"""Where the exported schemas are committed; there only in a source tree."""
RELEASED = FOLDER.parent / "released"
"""One folder for each released version; a file in it never changes."""


def schema_id(event_type: str) -> str:
    return f"urn:tibs:schema:{event_type}"


def schema_of(event: type[Event]) -> Schema:
    """The schema of an event's data, as a reader sees it: fields with a default may be left out."""
    schema = event.model_json_schema(schema_generator=_Generator)
    for part in (schema, *schema.get("$defs", {}).values()):
        # Writers refuse what they did not declare; a reader that did so would break at the first new field.
        part.pop("additionalProperties", None)
    head = {"$schema": DIALECT, "$id": schema_id(event.type), "title": event.__name__}
    return head | schema


def all_schemas() -> dict[str, Schema]:
    """Every event's schema by the event's type."""
    return {event_type: schema_of(event) for event_type, event in all_events().items()}


class _Generator(GenerateJsonSchema):
    def enum_schema(self, schema: core_schema.EnumSchema) -> Schema:
        exported = super().enum_schema(schema)
        if not issubclass(schema["cls"], OpenCode):
            return exported
        exported.pop("type", None)
        values = [value for value in exported.pop("enum") if value != schema["cls"].__members__["UNKNOWN"].value]
        # The known values, and any other text: a list that grows must not invalidate what old readers check.
        return exported | {"anyOf": [{"enum": values}, {"type": "string"}]}

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        exported = super().model_schema(schema)
        for name, words in _field_docs(schema["cls"]).items():
            exported.get("properties", {}).get(name, {}).setdefault("description", words)
        return exported

    def generate(self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation") -> Schema:
        exported = super().generate(schema, mode=mode)
        for part in (exported, *exported.get("$defs", {}).values()):
            for field in part.get("properties", {}).values():
                field.pop("title", None)  # Pydantic's titles repeat the field's name.
        return exported


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The sentences that stand under a model's fields."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(words.value.value)
        for field, words in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant) and isinstance(words.value.value, str)
    }


def read_folder(folder: Path) -> dict[str, Schema]:
    """The schemas that a folder holds, by event type."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def write_folder(schemas: Mapping[str, Schema], folder: Path) -> None:
    """Makes the folder hold exactly these schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.stem not in schemas:
            path.unlink()
    for event_type, schema in schemas.items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{event_type}.json").write_text(text, encoding="utf-8")


def differences(wanted: Mapping[str, Schema], held: Mapping[str, Schema]) -> Iterator[str]:
    """What a folder of schemas lacks, has too much, or holds in an old form; one sentence each."""
    for event_type in sorted(wanted.keys() | held.keys()):
        if event_type not in held:
            yield f"{event_type}: no schema is exported"
        elif event_type not in wanted:
            yield f"{event_type}: a schema is exported, but there is no such event"
        elif wanted[event_type] != held[event_type]:
            yield f"{event_type}: the exported schema is not that of the event"


def main(arguments: list[str]) -> int:
    match arguments:
        case []:
            write_folder(all_schemas(), FOLDER)
            print(f"{len(all_events())} schemas written to {FOLDER}")
            return 0
        case ["--check"]:
            return _check()
        case ["--release", version] if re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version):
            return _release(version)
        case _:
            print("usage: python -m tibs_contracts.schemas [--check | --release 0.2.0]", file=sys.stderr)
            return 2


def _check() -> int:
    found = list(differences(all_schemas(), read_folder(FOLDER)))
    for sentence in found:
        print(sentence, file=sys.stderr)
    if found:
        print("run python -m tibs_contracts.schemas and look at what changed", file=sys.stderr)
    return 1 if found else 0


def _release(version: str) -> int:
    if (RELEASED / version).exists():
        print(f"{version} is released already, and what is released does not change", file=sys.stderr)
        return 1
    write_folder(all_schemas(), RELEASED / version)
    print(f"{len(all_events())} schemas frozen in {RELEASED / version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
