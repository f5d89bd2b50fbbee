"""The AsyncAPI 3.0 document of a node, made from the same classes that the services use.

python -m tibs_contracts.asyncapi            writes contracts/asyncapi.yaml
python -m tibs_contracts.asyncapi --check    fails when it is stale
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from tibs_contracts.envelope import CONTENT_TYPE
from tibs_contracts.events import Event, all_events
from tibs_contracts.schemas import FOLDER
from tibs_contracts.signatures import HEADER as SIGNATURE
from tibs_contracts.topics import CONFIG, PARTITIONS, REGION, SERVICES, Channel

Document = dict[str, Any]

PATH = FOLDER.parent / "asyncapi.yaml"
KAFKA_BINDING = "0.5.0"

WHO_READS = {
    Channel.REGISTRY: "Published profiles and listed actors. Every region and every subscriber may read it.",
    Channel.CATALOGUE: "Support programmes and good practices. Every region and every subscriber may read it.",
    Channel.BROKERAGE: "What happened in brokerage, without names. Every region and every subscriber may read it.",
    Channel.CASES: "The protocol between two brokers. Only the addressed region may read it.",
    Channel.CONTACTS: "Contacts, sealed to the addressed region's key. Only that region may read it.",
    Channel.PROBES: "Whether the line between two regions works, and why not. Only the addressed region may read it.",
    Channel.LOCAL: "Facts between the services of one node; never mirrored.",
}


def document() -> Document:
    """The whole document, as plain values."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tibs:node",
        "info": {
            "title": "TIBS node",
            "version": "1.0.0",
            "description": (
                "What a regional node of the Transnational Innovation Brokerage System tells. Topics are named by the "
                "region that writes them and keep their name in every mirror. Delivery is at least once, in order for "
                "each subject. New optional fields, new values in lists and new events may come at any time."
            ),
            "license": {"name": "EUPL-1.2", "url": "https://eupl.eu/1.2/en/"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {channel.value: _channel(channel) for channel in Channel},
        "operations": {f"tell_{channel.value}": _operation(channel) for channel in Channel if _events(channel)},
        "components": {
            "messages": {event.type: _message(event) for event in all_events().values()},
            "schemas": {"cloudEventsHeaders": _headers_schema()},
            "parameters": _parameters(),
        },
    }


def _events(channel: Channel) -> list[type[Event]]:
    return [event for event in all_events().values() if event.channel is channel]


def _channel(channel: Channel) -> Document:
    match channel:
        case _ if channel.bilateral:
            address, parameters = f"tibs.{{from}}.to.{{to}}.{channel.value}.v1", ["from", "to"]
        case Channel.LOCAL:
            address, parameters = "tibs-local.{region}.{service}.v1", ["region", "service"]
        case _:
            address, parameters = f"tibs.{{region}}.{channel.value}.v1", ["region"]
    return {
        "address": address,
        "description": WHO_READS[channel],
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in parameters},
        "messages": {event.type: {"$ref": f"#/components/messages/{event.type}"} for event in _events(channel)},
        "bindings": {
            "kafka": {
                "partitions": PARTITIONS,
                "topicConfiguration": {key: _config(key, value) for key, value in CONFIG[channel].items()},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _config(key: str, value: str) -> list[str] | int | str:
    if key == "cleanup.policy":
        return [value]
    return int(value) if value.isdecimal() else value


def _operation(channel: Channel) -> Document:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel.value}"},
        "summary": WHO_READS[channel].partition(".")[0] + ".",
        "messages": [{"$ref": f"#/channels/{channel.value}/messages/{event.type}"} for event in _events(channel)],
    }


def _message(event: type[Event]) -> Document:
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": (event.__doc__ or "").strip().partition("\n\n")[0],
        "contentType": CONTENT_TYPE,
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/cloudEventsHeaders"},
                {"type": "object", "properties": {"ce_type": {"const": event.type}}},
            ]
        },
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{event.type}.json"},
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The aggregate's id, the same as ce_subject."},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _headers_schema() -> Document:
    """CloudEvents 1.0 in Kafka's binary mode; every value is UTF-8 text."""

    def text(description: str, **rules: str) -> Document:
        return {"type": "string", "description": description, **rules}

    return {
        "type": "object",
        "required": [
            "ce_specversion",
            "ce_id",
            "ce_source",
            "ce_type",
            "ce_subject",
            "ce_time",
            "ce_sequence",
            "ce_correlationid",
            "content-type",
        ],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": text("UUIDv7, unique together with ce_source.", format="uuid"),
            "ce_source": text(
                "The service of the region that wrote the event.", pattern=rf"^/regions/{REGION}/[a-z]+$"
            ),
            "ce_type": text("What happened.", pattern=r"^eu\.tibs\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]*$"),
            "ce_subject": text("The aggregate's id; also the record's key."),
            "ce_time": text("When the event was written, UTC.", format="date-time"),
            "ce_sequence": text(
                "The aggregate's version after the change, counted from 1. Pass over one older than held.",
                pattern="^[1-9][0-9]{0,17}$",
            ),
            "ce_correlationid": text("Ties together all that belongs to one case.", format="uuid"),
            "ce_causationid": text("The id of the event that led to this one.", format="uuid"),
            "content-type": {"const": CONTENT_TYPE},
            "traceparent": text("W3C trace context."),
            SIGNATURE: text(
                "Detached JWS (Ed25519) over the ce_ headers and the value by the region that the topic is named by;"
                " on every topic that other regions read."
            ),
        },
    }


def _parameters() -> Document:
    return {
        "region": {"description": "Code of the region that writes the topic.", "examples": ["pl84", "fi1c"]},
        "from": {"description": "Code of the region that writes the topic.", "examples": ["pl84"]},
        "to": {"description": "Code of the one region that may read the topic.", "examples": ["fi1c"]},
        "service": {"description": "The service that writes the topic.", "enum": list(SERVICES)},
    }


def text() -> str:
    """The document as YAML, as it is committed."""
    head = "# Made by `python -m tibs_contracts.asyncapi` from the events and topics of tibs_contracts.\n"
    return head + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)


def main(arguments: list[str], *, path: Path = PATH) -> int:
    match arguments:
        case []:
            path.write_text(text(), encoding="utf-8")
            print(f"written to {path}")
            return 0
        case ["--check"]:
            if path.read_text(encoding="utf-8") == text():
                return 0
            print(f"{path} is stale: run python -m tibs_contracts.asyncapi", file=sys.stderr)
            return 1
        case _:
            print("usage: python -m tibs_contracts.asyncapi [--check]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
