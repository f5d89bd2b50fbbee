"""What was released still holds: its schemas, its events, its readers."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from tibs_contracts import schemas
from tibs_contracts.compatibility import breaks_between
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import all_events
from tibs_contracts.topics import Topic

VERSIONS = sorted((path.name for path in schemas.RELEASED.iterdir()), key=lambda name: [*map(int, name.split("."))])
EXAMPLES = schemas.FOLDER.parent / "examples"
CURRENT = schemas.all_schemas()


def examples(version: str) -> list[Path]:
    return sorted((EXAMPLES / version).glob("*.json"))


OF_ALL_VERSIONS = [
    pytest.param(path, id=f"{path.parent.name}-{path.stem}") for path in sorted(EXAMPLES.glob("*/*.json"))
]
NEWEST = [pytest.param(path, id=path.stem) for path in examples(VERSIONS[-1])]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def findings(schema: schemas.Schema, data: object) -> list[str]:
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize("version", VERSIONS)
def test_today_breaks_no_reader_and_no_event_of_a_release(version: str) -> None:
    assert breaks_between(schemas.read_folder(schemas.RELEASED / version), CURRENT) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_released_event_has_an_example(version: str) -> None:
    released = schemas.read_folder(schemas.RELEASED / version)
    assert [path.stem for path in examples(version)] == sorted(released)


@pytest.mark.parametrize("path", OF_ALL_VERSIONS)
def test_an_old_event_is_read_by_todays_model_and_fits_todays_schema(path: Path) -> None:
    example = read(path)
    event = all_events()[path.stem].read(json.dumps(example["data"]).encode())
    assert json.loads(event.write()) == example["data"]
    assert findings(CURRENT[path.stem], example["data"]) == []


@pytest.mark.parametrize("path", OF_ALL_VERSIONS)
def test_an_old_events_headers_are_read_by_todays_envelope(path: Path) -> None:
    example = read(path)
    envelope = Envelope.from_headers([(name, value.encode()) for name, value in example["headers"].items()])
    assert envelope.type == path.stem
    assert envelope.subject == example["key"]
    assert {name: value.decode() for name, value in envelope.headers()} == example["headers"]
    topic = Topic.parse(example["topic"])
    assert (topic.channel, topic.region) == (all_events()[path.stem].channel, envelope.region)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", NEWEST)
def test_a_new_event_fits_the_released_schema(path: Path, version: str) -> None:
    released = schemas.read_folder(schemas.RELEASED / version)
    if path.stem in released:
        assert findings(released[path.stem], read(path)["data"]) == []


@pytest.mark.parametrize("path", NEWEST)
def test_the_newest_examples_leave_no_field_out(path: Path) -> None:
    event = all_events()[path.stem].read(json.dumps(read(path)["data"]).encode())
    assert unset(event) == []


def unset(part: BaseModel, path: str = "") -> list[str]:
    found = [f"{path}/{name}" for name in type(part).model_fields.keys() - part.model_fields_set]
    for name, value in part:
        if isinstance(value, BaseModel):
            found += unset(value, f"{path}/{name}")
    return found


def test_the_checks_of_examples_would_find_a_misfit() -> None:
    data = read(EXAMPLES / "0.1.0" / "eu.tibs.profile.published.v1.json")["data"]
    schema = CURRENT["eu.tibs.profile.published.v1"]
    assert findings(schema, data | {"trl": 12})
    assert findings(schema, data | {"profile_id": "not-a-uuid"})
