import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tibs_contracts import schemas
from tibs_contracts.events import Event, ProfilePublished, all_events

TYPES = sorted(all_events().items())


def test_the_committed_schemas_are_those_of_the_events() -> None:
    committed = schemas.read_folder(schemas.FOLDER)
    assert list(schemas.differences(schemas.all_schemas(), committed)) == []


@pytest.mark.parametrize(("event_type", "event"), TYPES)
def test_every_schema_is_a_valid_one_with_its_own_id_and_words(event_type: str, event: type[Event]) -> None:
    schema = schemas.schema_of(event)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:tibs:schema:{event_type}"
    assert schema["description"]


def test_no_schema_closes_its_content() -> None:
    assert "additionalProperties" not in json.dumps(schemas.all_schemas())


def test_a_value_list_names_its_values_and_lets_others_come() -> None:
    stage = schemas.schema_of(ProfilePublished)["$defs"]["Stage"]
    assert "field_tested" in stage["anyOf"][0]["enum"]
    assert "unknown" not in stage["anyOf"][0]["enum"]
    assert Draft202012Validator(stage).is_valid("a_stage_of_next_year")


def test_the_sentence_under_a_field_is_its_description() -> None:
    desk = schemas.schema_of(ProfilePublished)["properties"]["desk"]
    assert desk["description"] == "The organisation whose broker answers for the profile."


def test_a_stale_a_missing_and_a_surplus_file_are_each_named(tmp_path: Path) -> None:
    wanted = {"eu.tibs.a.b.v1": {"type": "object"}, "eu.tibs.c.d.v1": {"type": "object"}}
    schemas.write_folder({"eu.tibs.c.d.v1": {"type": "string"}, "eu.tibs.e.f.v1": {}}, tmp_path)
    assert list(schemas.differences(wanted, schemas.read_folder(tmp_path))) == [
        "eu.tibs.a.b.v1: no schema is exported",
        "eu.tibs.c.d.v1: the exported schema is not that of the event",
        "eu.tibs.e.f.v1: a schema is exported, but there is no such event",
    ]
    schemas.write_folder(wanted, tmp_path)
    assert schemas.read_folder(tmp_path) == wanted


def test_a_released_version_cannot_be_released_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main(["--release", "0.1.0"]) == 1
    assert "does not change" in capsys.readouterr().err


def test_an_unknown_argument_is_answered_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert schemas.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err
