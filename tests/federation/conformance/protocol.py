"""What the two halves of an introduction may tell each other, judged by what lies on their topics. Pure."""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from conformance import rules
from conformance.network import Network
from conformance.records import Record, Told, told
from conformance.report import Judgement
from conformance.rules import Rule
from tibs_contracts.events import DisclosedContact

ALGORITHMS = ("ECDH-ES+A256KW", "A256GCM")
BOTH = frozenset({"message_sent", "disclosed", "completed"})
HOME = BOTH | {"requested", "consented", "withdrawn"}
COUNTERPART = BOTH | {"received", "acknowledged", "accepted", "declined"}


@dataclass(frozen=True)
class Pair:
    """The node, one other region, and what each has told the other of introductions, as it lies on the topics."""

    region: str
    peer: str
    mine: Sequence[Told]
    theirs: Sequence[Told]
    opener: OKPKey | None = None
    """Opens what was sealed for the peer, if the suite plays it."""

    @classmethod
    def of(cls, records: Sequence[Record], *, region: str, peer: str, opener: OKPKey | None = None) -> "Pair":
        """From all records of both directions."""

        def between(one: str, other: str) -> list[Told]:
            return told(each for each in records if (each.about.region, each.about.to) == (one, other))

        return cls(region, peer, between(region, peer), between(peer, region), opener)

    @cached_property
    def asked_here(self) -> Mapping[str, Told]:
        """The requests that the peer sent to the node, by introduction, whether or not it should believe them."""
        return _first(self.theirs, "requested")

    @cached_property
    def asked_there(self) -> Mapping[str, Told]:
        """The requests that the node sent to the peer."""
        return _first(self.mine, "requested")

    def request(self, introduction: str) -> Told | None:
        return self.asked_here.get(introduction) or self.asked_there.get(introduction)


def _first(facts: Sequence[Told], fact: str) -> Mapping[str, Told]:
    found: dict[str, Told] = {}
    for one in facts:
        if one.fact == fact:
            found.setdefault(one.introduction, one)
    return found


def stranger(pair: Pair, network: Network) -> Iterator[Judgement]:
    for one in pair.mine:
        known = pair.request(one.introduction) is not None
        yield (
            None
            if known
            else (
                f"{one.record.place} tells {pair.peer} '{one.fact}' of introduction {one.introduction:.40}, "
                "which neither asked the other for"
            )
        )


def half(pair: Pair, network: Network) -> Iterator[Judgement]:
    for one in pair.mine:
        if pair.request(one.introduction) is None:
            continue
        here = one.introduction in pair.asked_here
        right = one.fact in (COUNTERPART if here else HOME) or one.fact not in COUNTERPART | HOME
        yield None if right else f"{one.record.place} tells '{one.fact}', which is for {pair.peer} to tell"


def thread(pair: Pair, network: Network) -> Iterator[Judgement]:
    for one in pair.mine:
        request = pair.request(one.introduction)
        if request is None or request is one:
            continue
        wanted = request.envelope.correlation_id
        right = one.envelope.correlation_id == wanted
        yield (
            None
            if right
            else (
                f"{one.record.place} tells '{one.fact}' with the correlation id {one.envelope.correlation_id}, "
                f"and the request had {wanted}"
            )
        )


def consents(pair: Pair, network: Network) -> Iterator[Judgement]:
    for one in pair.mine:
        if one.fact != "disclosed" or pair.request(one.introduction) is None:
            continue
        here = one.introduction in pair.asked_here
        own, other, refusal = ("accepted", "consented", "declined") if here else ("consented", "accepted", "withdrawn")
        before = {
            each.fact
            for each in pair.mine
            if each.introduction == one.introduction and each.envelope.time <= one.envelope.time
        }
        others = {each.fact for each in pair.theirs if each.introduction == one.introduction}
        if own not in before:
            yield f"{one.record.place} discloses a contact, and {pair.region} had not told '{own}' before"
        elif other not in others:
            yield f"{one.record.place} discloses a contact, and {pair.peer} never told '{other}'"
        elif refusal in before:
            yield f"{one.record.place} discloses a contact after {pair.region} told '{refusal}'"
        else:
            yield None


def sealed(pair: Pair, network: Network) -> Iterator[Judgement]:
    for one in pair.mine:
        if one.fact == "disclosed":
            wrong = wrongly_sealed(
                str(one.record.data.get("sealed", "")), keys=network.contacts.get(pair.peer, ()), opener=pair.opener
            )
            yield None if wrong is None else f"{one.record.place}: {wrong}"


def wrongly_sealed(held: str, *, keys: Sequence[Mapping[str, Any]], opener: OKPKey | None) -> str | None:
    """Why a sealed contact is none for the holder of one of `keys`; None if it is, as far as can be told."""
    parts = held.split(".")
    if len(parts) != 5:
        return "the contact is not sealed: it is no compact JWE"
    try:
        header = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
        found = header["alg"], header["enc"], header["kid"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        return "the contact is sealed without alg, enc and kid"
    if found[:2] != ALGORITHMS:
        return f"the contact is sealed by {found[0]!r:.40} and {found[1]!r:.40}, not by {' and '.join(ALGORITHMS)}"
    names = [key.get("kid") for key in keys]
    if found[2] not in names:
        known = ", ".join(map(str, names)) or "there are none"
        return f"the contact is sealed for key {found[2]!r:.60}, none of the receiving region's ({known})"
    if opener is None:
        return None
    try:
        opened = jwe.decrypt_compact(held, opener, algorithms=list(ALGORITHMS)).plaintext or b""
    except (JoseError, ValueError) as error:
        return f"the receiving region's key does not open the contact ({type(error).__name__})"
    try:
        DisclosedContact.model_validate_json(opened, extra="ignore")
    except ValidationError as error:
        # What it held is somebody's.
        return f"the opened contact does not fit at /{'/'.join(str(part) for part in error.errors()[0]['loc'])}"
    return None


Looks = Callable[[Pair, Network], Iterator[Judgement]]
BY_RULE: Mapping[Rule, Looks] = {
    rules.STRANGER: stranger,
    rules.HALF: half,
    rules.THREAD: thread,
    rules.CONSENTS: consents,
    rules.SEALED: sealed,
}
