"""The rules, by id: what each demands of a node, and where that stands in docs/integrate."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One demand. `section` is a link from docs/integrate."""

    id: str
    demand: str
    section: str

    @property
    def row(self) -> str:
        """As it stands in conformance.md."""
        name = self.section.partition("#")[2].replace("-", " ").capitalize()
        return f"| `{self.id}` | {self.demand} | [{name}]({self.section}) |"


_PUBLISHED = "README.md#subscribe-to-what-the-regions-publish"
_TOPICS = "README.md#topics"
_EVENTS = "README.md#events"
_ENVELOPE = "README.md#envelope"
_SIGNATURE = "README.md#signature"
_RELY = "README.md#what-you-can-rely-on"
_INTRODUCTIONS = "#introductions"
_BELIEVING = "#believing"

TOPICS = Rule("topics", "Each topic `tibs.<region>.…` of the node has one of the documented names.", _TOPICS)
CHANNEL = Rule("channel", "An event stands on the channel that is documented for its type.", _TOPICS)
SIZE = Rule("size", "A record has at most a mebibyte: key, headers and value together.", _TOPICS)
PUBLIC = Rule("public", "No public record holds an e-mail address or a telephone number.", _PUBLISHED)
ENVELOPE = Rule(
    "envelope", "The headers are those of a CloudEvent, complete, each once, in their documented form.", _ENVELOPE
)
SOURCE = Rule("source", "`ce_source` names the region whose topic it is.", _ENVELOPE)
SUBJECT = Rule("subject", "The record's key is `ce_subject`, and the data speak of it.", _ENVELOPE)
SCHEMA = Rule("schema", "The value fits the JSON Schema of its type.", _EVENTS)
SIGNATURE = Rule("signature", "The record is signed with a key of its region, for this topic.", _SIGNATURE)
IDENTITY = Rule("identity", "`ce_source` with `ce_id` names one event: what comes again under it is the same.", _RELY)
ORDER = Rule(
    "order", "The events of a subject stand in the order of `ce_sequence`, and no number is used twice.", _RELY
)
PARTITION = Rule("partition", "All records of a key stand in one partition.", _RELY)
TOMBSTONE = Rule(
    "tombstone", "An empty record stands on a compacted topic alone, after the subject was withdrawn.", _RELY
)

ANSWER = Rule("answer", "A request for a published profile is answered with `received`.", _INTRODUCTIONS)
THREAD = Rule("thread", "What is told of an introduction has the `ce_correlationid` of its request.", _INTRODUCTIONS)
CAUSE = Rule("cause", "`received` names the request in `ce_causationid`.", _INTRODUCTIONS)
TWICE = Rule("twice", "A request that comes again is answered once.", _INTRODUCTIONS)
EARLY = Rule(
    "early", "A request that comes after its withdrawal is told `received`, and then nothing more.", _INTRODUCTIONS
)
AGAIN = Rule("again", "A request that comes again after its withdrawal brings nothing back.", _INTRODUCTIONS)
FLOW = Rule(
    "flow", "What is broken, unknown or not believed stops nothing: the request behind it is answered.", _BELIEVING
)
UNSIGNED = Rule("unsigned", "A request without a signature is not answered.", _BELIEVING)
FOREIGN = Rule("foreign-key", "A request signed with a key that is none of its region's is not answered.", _BELIEVING)
CHANGED = Rule("changed", "A request that was changed after it was signed is not answered.", _BELIEVING)
IMPOSTOR = Rule(
    "impostor", "A request whose `ce_source` is another region than its topic's is not answered.", _BELIEVING
)
MOVED = Rule("moved", "A request that was signed for another topic is not answered.", _BELIEVING)
STRANGER = Rule("stranger", "The node speaks to a region only of introductions between the two.", _INTRODUCTIONS)
HALF = Rule("half", "The node tells only the facts of its own half.", _INTRODUCTIONS)
CONSENTS = Rule(
    "consents", "A contact is disclosed after both consents and before any refusal, never else.", _INTRODUCTIONS
)
SEALED = Rule("sealed", "A contact travels as a JWE for a key of the receiving region, which opens it.", _INTRODUCTIONS)
DISCLOSURE = Rule("disclosure", "After both consents the node discloses its client's contact.", _INTRODUCTIONS)
COMPLETION = Rule("completion", "When both contacts were exchanged, the node tells `completed`.", _INTRODUCTIONS)

WRITTEN = (
    TOPICS, CHANNEL, SIZE, PUBLIC, ENVELOPE, SOURCE, SUBJECT, SCHEMA, SIGNATURE, IDENTITY, ORDER, PARTITION, TOMBSTONE,
    STRANGER, HALF, THREAD, CONSENTS, SEALED,
)  # fmt: skip
"""Seen in what the node has written."""
TRIED = (
    ANSWER, CAUSE, TWICE, EARLY, AGAIN, FLOW, UNSIGNED, FOREIGN, CHANGED, IMPOSTOR, MOVED, DISCLOSURE, COMPLETION,
)  # fmt: skip
"""Seen in how the node answers to a peer."""
RULES = WRITTEN + TRIED


def table(rules: tuple[Rule, ...]) -> str:
    """As it stands in conformance.md."""
    return "\n".join(["| rule | demands | stands in |", "|---|---|---|", *(rule.row for rule in rules)])
