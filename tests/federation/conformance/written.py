"""What can be judged by looking at what a node has written. Pure.

Each rule looks only at what the rules before it leave to it: a record in another region's name, say, fails one rule,
not also that of signatures.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

from conformance import rules
from conformance.network import Network
from conformance.records import Record, readable
from conformance.report import Judgement
from conformance.rules import Rule
from tibs_contracts.events import all_events
from tibs_contracts.schemas import all_schemas
from tibs_contracts.signatures import SignatureError
from tibs_contracts.topics import CONFIG, Topic

LARGEST = 1024 * 1024
# From the beginning of a word and never back: a value of a mebibyte takes no longer than it has letters.
_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]+(?:\.[\w-]+)+")
# With its country's code: digits alone are as often a number of a standard, a patent or a product.
_PHONE = re.compile(r"(?<![\w+])\+[1-9]\d{0,2}[ ()./-]*\d(?:[ ()./-]*\d){6,11}(?!\d)")
_ENDINGS = frozenset({"withdrawn", "unlisted", "erased"})


def topics(names: Iterable[str], *, region: str, network: Network) -> Iterator[Judgement]:
    """Of the names of all topics of a region."""
    for name in sorted(names):
        try:
            topic = Topic.parse(name)
        except ValueError as error:
            yield str(error)
            continue
        if topic.to is not None and topic.to not in network.regions:
            yield f"{name} is meant for '{topic.to}', which is no region of the network"
        elif topic.to == region:
            yield f"{name} leads from '{region}' to itself"
        else:
            yield None


def channel(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    known = all_events()
    for record, envelope in readable(records):
        event = known.get(envelope.type)
        if event is None:
            continue  # New types may come at any time.
        right = event.channel is record.about.channel
        yield None if right else f"{record.place} is a {envelope.type}, which belongs on the {event.channel} channel"


def size(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record in records:
        yield f"{record.place} has {record.size} bytes, not {LARGEST} at most" if record.size > LARGEST else None


def public(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record in records:
        if not record.about.channel.public:
            continue
        found = next((name for name, text in _texts(record) if _MAIL.search(text) or _PHONE.search(text)), None)
        # What was found stays out of the sentence: it is somebody's.
        yield None if found is None else f"{record.place} holds an e-mail address or a telephone number in {found}"


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    yield "its key", (record.key or b"").decode(errors="replace")
    for name, held in record.headers:
        if name != "tibs-signature":
            yield f"header {name}", (held or b"").decode(errors="replace")
    if record.data is None:
        yield "its value", (record.value or b"").decode(errors="replace")
    else:
        yield from _strings(record.data, "")


def _strings(held: object, path: str) -> Iterator[tuple[str, str]]:
    match held:
        case str():
            yield path or "/", held
        case dict():
            for name, one in held.items():
                yield f"the name of {path}/…", name
                yield from _strings(one, f"{path}/{name}")
        case list():
            for number, one in enumerate(held):
                yield from _strings(one, f"{path}/{number}")
        case _:
            pass


def envelope(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record in records:
        if record.value is not None:
            yield None if record.flaw is None else f"{record.place}: {record.flaw}"


def source(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record, envelope in readable(records):
        right = envelope.region == record.about.region
        yield (
            None if right else f"{record.place} has ce_source '{envelope.source}' on a topic of '{record.about.region}'"
        )


def subject(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record, envelope in readable(records):
        if record.key != envelope.subject.encode():
            yield f"{record.place} has the key {record.key!r:.60}, and ce_subject is '{envelope.subject:.60}'"
            continue
        data = record.data if isinstance(record.data, dict) else {}
        about = str(data.get(f"{envelope.aggregate}_id", envelope.subject))
        right = about == envelope.subject
        yield (
            None
            if right
            else f"{record.place} has ce_subject '{envelope.subject:.60}', and its data speak of '{about:.60}'"
        )


def schema(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record, envelope in readable(records):
        validator = _validators().get(envelope.type)
        if validator is None:
            continue
        if record.data is None:
            yield f"{record.place}: the value of a {envelope.type} is no JSON"
            continue
        wrong = next(validator.iter_errors(record.data), None)
        if wrong is None:
            yield None
        else:
            where = "/".join(str(part) for part in wrong.absolute_path)
            lacks = f" ({wrong.message})" if wrong.validator == "required" else ""
            yield f"{record.place}: the data of {envelope.type} do not fit at /{where}: {wrong.validator}{lacks}"


_VALIDATORS: dict[str, Draft202012Validator] = {}


def _validators() -> Mapping[str, Draft202012Validator]:
    if not _VALIDATORS:
        for name, one in all_schemas().items():
            _VALIDATORS[name] = Draft202012Validator(one, format_checker=FormatChecker())
    return _VALIDATORS


def signature(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    for record, envelope in readable(records):
        foreign = envelope.region != record.about.region or record.key != envelope.subject.encode()
        names = [name for name, _ in record.headers]
        if foreign or any(names.count(name) > 1 for name in names if name.startswith("ce_")):
            continue
        try:
            network.keyring.verify(
                topic=record.about, envelope=envelope, key=record.key, headers=record.headers, value=record.value
            )
        except SignatureError as error:
            yield f"{record.place}: {error}"
        else:
            yield None


def identity(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    first: dict[tuple[str, UUID], Record] = {}
    for record, envelope in readable(records):
        held = first.setdefault((envelope.source, envelope.id), record)
        same = held is record or (held.topic, held.value, _attributes(held)) == (
            record.topic,
            record.value,
            _attributes(record),
        )
        yield None if same else f"{record.place} has the ce_id of {held.place}, and is another event"


def _attributes(record: Record) -> list[tuple[str, bytes | None]]:
    return sorted((name, held or b"") for name, held in record.headers if name.startswith("ce_"))


def order(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    last: dict[tuple[str, int, str, str], tuple[int, Record]] = {}
    seen: set[tuple[str, UUID]] = set()
    for record, envelope in readable(records):
        if (envelope.source, envelope.id) in seen:
            continue  # The same event, once more.
        seen.add((envelope.source, envelope.id))
        about = (record.topic, record.partition, envelope.aggregate, envelope.subject)
        sequence, before = last.get(about, (0, record))
        if envelope.sequence == sequence:
            yield f"{record.place} has ce_sequence {sequence}, as has {before.place} of the same subject"
        elif envelope.sequence < sequence:
            yield f"{record.place} has ce_sequence {envelope.sequence} and stands after {before.place} with {sequence}"
        else:
            yield None
        if envelope.sequence > sequence:
            last[about] = (envelope.sequence, record)


def partition(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    places: dict[tuple[str, bytes], dict[int, Record]] = defaultdict(dict)
    for record in records:
        if record.key is not None:
            places[record.topic, record.key].setdefault(record.partition, record)
    for held in places.values():
        [first, *others] = held.values()
        yield f"{others[0].place} and {first.place} have one key" if others else None


def tombstone(records: Sequence[Record], network: Network) -> Iterator[Judgement]:
    last: dict[tuple[str, bytes | None], str] = {}
    for record in records:
        about = (record.topic, record.key)
        if record.value is not None:
            last[about] = "" if record.envelope is None else record.envelope.type.split(".")[-2]
        elif CONFIG[record.about.channel]["cleanup.policy"] != "compact":
            yield f"{record.place} is empty, on a topic that is not compacted"
        else:
            # Where compaction took what stood before, there is nothing to say.
            before = last.get(about)
            right = before is None or before in _ENDINGS
            yield None if right else f"{record.place} is empty, and its subject was {before} before, not withdrawn"


Looks = Callable[[Sequence[Record], Network], Iterator[Judgement]]
BY_RULE: Mapping[Rule, Looks] = {
    rules.CHANNEL: channel,
    rules.SIZE: size,
    rules.PUBLIC: public,
    rules.ENVELOPE: envelope,
    rules.SOURCE: source,
    rules.SUBJECT: subject,
    rules.SCHEMA: schema,
    rules.SIGNATURE: signature,
    rules.IDENTITY: identity,
    rules.ORDER: order,
    rules.PARTITION: partition,
    rules.TOMBSTONE: tombstone,
}
