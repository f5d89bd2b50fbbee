import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tibs_contracts import asyncapi
from tibs_contracts.envelope import Envelope
from tibs_contracts.events import all_events
from tibs_contracts.signatures import HEADER
from tibs_contracts.topics import PARTITIONS, Channel, declared

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def official() -> Draft7Validator:
    return Draft7Validator(json.loads((Path(__file__).parent / "asyncapi-3.0.0.schema.json").read_text()))


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(asyncapi.PATH.read_text(encoding="utf-8"))
    return document


def test_the_committed_document_is_that_of_the_events_and_topics() -> None:
    assert asyncapi.PATH.read_text(encoding="utf-8") == asyncapi.text()


def test_the_document_is_valid_asyncapi(committed: dict[str, Any], official: Draft7Validator) -> None:
    assert [error.message for error in official.iter_errors(committed)] == []


def test_the_official_schema_would_find_a_mistake(committed: dict[str, Any], official: Draft7Validator) -> None:
    broken = copy.deepcopy(committed)
    broken["channels"]["registry"]["bindings"]["kafka"]["partitions"] = "six"
    assert not official.is_valid(broken)


def test_every_event_is_a_message_of_its_channel_alone(committed: dict[str, Any]) -> None:
    told = [(name, message) for name, channel in committed["channels"].items() for message in channel["messages"]]
    assert sorted(told) == sorted((event.channel.value, event_type) for event_type, event in all_events().items())


def test_every_reference_leads_somewhere(committed: dict[str, Any]) -> None:
    references = set(re.findall(r"\$ref: '?([^'\n]+)'?", asyncapi.text()))
    assert references
    for reference in references:
        if reference.startswith("#/"):
            place: Any = committed
            for step in reference.removeprefix("#/").split("/"):
                place = place[step]
        else:
            assert (asyncapi.PATH.parent / reference).is_file(), reference


def test_every_declared_topic_is_an_address_of_the_document(committed: dict[str, Any]) -> None:
    channels = committed["channels"]
    for topic in declared("pl84", ["fi1c"]):
        [name] = [
            name
            for name, channel in channels.items()
            if re.fullmatch(re.sub(r"\\{\w+\\}", "[a-z0-9]+", re.escape(channel["address"])), topic.name)
        ]
        bindings = channels[name]["bindings"]["kafka"]
        assert bindings["partitions"] == PARTITIONS == topic.partitions
        told = bindings["topicConfiguration"].items()
        assert {key: ",".join(each) if isinstance(each, list) else str(each) for key, each in told} == topic.config


def test_every_channel_is_described(committed: dict[str, Any]) -> None:
    assert list(committed["channels"]) == [channel.value for channel in Channel]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/*.json")), ids=lambda path: path.stem)
def test_the_headers_of_an_event_fit_the_headers_schema(path: Path, committed: dict[str, Any]) -> None:
    headers = json.loads(path.read_text(encoding="utf-8"))["headers"]
    schema = committed["components"]["schemas"]["cloudEventsHeaders"]
    Envelope.from_headers([(name, value.encode()) for name, value in headers.items()])
    assert [error.message for error in Draft7Validator(schema).iter_errors(headers)] == []
    # The signature is told of the place where a record lies, so it is no part of an example.
    assert set(schema["properties"]) == {*headers, HEADER}


def test_the_check_tells_a_stale_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "asyncapi.yaml"
    path.write_text("asyncapi: 3.0.0\n")
    assert asyncapi.main(["--check"], path=path) == 1
    assert "stale" in capsys.readouterr().err
    assert asyncapi.main([], path=path) == 0
    assert asyncapi.main(["--check"], path=path) == 0
