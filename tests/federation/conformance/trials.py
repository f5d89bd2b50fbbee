"""What is asked of a node to see how it answers. The node takes part over Kafka; a person of its region may."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from conformance import rules
from conformance.peer import Letter, Peer
from conformance.records import Record, Told, told
from conformance.report import Judgement
from conformance.rules import Rule
from conformance.wire import Wire

Person = Callable[[UUID], Awaitable[None]]
"""Accepts an introduction at the node's UI, as a person would, or asks one to."""
SILENT = "the node does not answer requests"


@dataclass(frozen=True)
class Patience:
    """Seconds: for an answer; for what should not come after all; for a person."""

    answer: float = 30.0
    silence: float = 1.0
    person: float = 0.0


@dataclass
class Trials:
    """The judgements so far, by rule, and why a rule was not looked at."""

    wire: Wire
    peer: Peer
    patience: Patience
    person: Person | None = None
    judged: dict[Rule, list[Judgement]] = field(default_factory=dict)
    unseen: dict[Rule, str] = field(default_factory=dict)
    _open: list[UUID] = field(default_factory=list)

    async def run(self) -> None:
        """All of them; what the suite asked for is taken back at the end."""
        try:
            first = await self._answers()
            if first is None:
                self.unseen |= dict.fromkeys(rules.TRIED, SILENT)
                return
            if await self._believes() and await self._goes_on() and await self._repeats(first):
                await self._introduces()
            else:
                self.unseen |= dict.fromkeys(rules.TRIED, "the node had stopped answering")
        finally:
            await self.wire.send([self.peer.withdrawal(one) for one in self._open])

    # -- the trials --------------------------------------------------------------------------------------------------

    async def _answers(self) -> tuple[UUID, Letter] | None:
        introduction, request = self._ask()
        await self.wire.send([request])
        if not await self._told(introduction, "received"):
            self._judge(
                rules.ANSWER,
                f"no 'received' came within {self.patience.answer:g} s for a request for {self.peer.profile.reference}",
            )
            return None
        self._judge(rules.ANSWER, None)
        cause = self._heard(introduction)[0].envelope.causation_id
        self._judge(
            rules.CAUSE,
            None
            if cause == request.event_id
            else f"'received' has the causation id {cause}, and the request was {request.event_id}",
        )
        return introduction, request

    async def _believes(self) -> bool:
        peer = self.peer
        forged: dict[Rule, UUID] = {
            rule: peer.introduction()
            for rule in (rules.UNSIGNED, rules.FOREIGN, rules.CHANGED, rules.IMPOSTOR, rules.MOVED)
        }
        letters = [
            peer.unsigned(forged[rules.UNSIGNED]),
            peer.signed_with_another_key(forged[rules.FOREIGN]),
            peer.changed(forged[rules.CHANGED]),
            peer.in_another_name(forged[rules.IMPOSTOR], name=peer.region),
            peer.moved(forged[rules.MOVED]),
        ]
        await self.wire.send(letters)
        if not await self._flows("forged requests"):
            return False
        await self.wire.listen(self.patience.silence)
        for rule, introduction in forged.items():
            heard = self._heard(introduction)
            self._judge(rule, f"it was answered: {heard[0].record.place} tells '{heard[0].fact}'" if heard else None)
        return True

    async def _goes_on(self) -> bool:
        broken = dict(self.peer.broken())
        refused = await self.wire.send(list(broken.values()))
        left = [what for what, letter in broken.items() if letter not in refused]
        return await self._flows(", ".join(left))

    async def _repeats(self, first: tuple[UUID, Letter]) -> bool:
        introduction, request = first
        (early, early_request), (again, again_request) = self._ask(), self._ask()
        early_withdrawal = self.peer.withdrawal(early)
        again_withdrawal = self.peer.withdrawal(again)
        await self.wire.send([request, early_withdrawal, early_request, again_request, again_withdrawal, again_request])
        if not await self._flows("repeated requests"):
            return False
        await self.wire.listen(self.patience.silence)
        answers = [one for one in self._heard(introduction) if one.fact == "received"]
        self._judge(
            rules.TWICE, None if len(answers) == 1 else f"it was answered {len(answers)} times: {_places(answers)}"
        )
        for rule, one in ((rules.EARLY, early), (rules.AGAIN, again)):
            facts = [each.fact for each in self._heard(one)]
            said = ", ".join(f"'{fact}'" for fact in facts) or "nothing"
            self._judge(
                rule, None if facts == ["received"] else f"the node told {said}, not 'received' once and no more"
            )
        return True

    async def _introduces(self) -> None:
        late = (rules.DISCLOSURE, rules.COMPLETION)
        if self.person is None:
            self.unseen |= dict.fromkeys(late, "nobody at the node was asked to accept an introduction")
            return
        introduction, request = self._ask()
        await self.wire.send([request])
        if not await self._told(introduction, "received"):
            self.unseen |= dict.fromkeys(late, SILENT)
            return
        await self.person(introduction)
        if not await self._told(introduction, "accepted", within=max(self.patience.person, self.patience.answer)):
            self.unseen |= dict.fromkeys(late, "nobody at the node accepted the introduction")
            return
        await self._flows("an introduction that one side accepted")
        await self.wire.listen(self.patience.silence)
        early = [one for one in self._heard(introduction) if one.fact == "disclosed"]
        self._judge(
            rules.CONSENTS,
            f"{early[0].record.place} discloses a contact before {self.peer.code} told 'consented'" if early else None,
        )
        await self.wire.send([self.peer.consent(introduction)])
        self._open.remove(introduction)
        if not await self._told(introduction, "disclosed"):
            self._judge(rules.DISCLOSURE, f"no contact came within {self.patience.answer:g} s after both consents")
            self.unseen[rules.COMPLETION] = "no contacts were exchanged"
            return
        self._judge(rules.DISCLOSURE, None)
        if self.peer.node_key is None:
            self.unseen[rules.COMPLETION] = f"regions.yaml has no key to seal a contact for '{self.peer.region}' with"
            return
        await self.wire.send([self.peer.contact(introduction)])
        completed = await self._told(introduction, "completed")
        self._judge(
            rules.COMPLETION,
            None if completed else f"no 'completed' came within {self.patience.answer:g} s after both contacts",
        )

    # -- what they are made of ---------------------------------------------------------------------------------------

    def _ask(self) -> tuple[UUID, Letter]:
        introduction = self.peer.introduction()
        self._open.append(introduction)
        return introduction, self.peer.request(introduction)

    async def _flows(self, behind: str) -> bool:
        """Whether a good request is answered behind what was sent: all before it was then read too."""
        introduction, request = self._ask()
        await self.wire.send([request])
        flows = await self._told(introduction, "received")
        self._judge(
            rules.FLOW,
            None
            if flows
            else f"no 'received' came within {self.patience.answer:g} s for a good request behind {behind}",
        )
        return flows

    async def _told(self, introduction: UUID, fact: str, *, within: float | None = None) -> bool:
        return await self.wire.wait(
            lambda _: any(one.fact == fact for one in self._heard(introduction)),
            within=self.patience.answer if within is None else within,
        )

    def _heard(self, introduction: UUID) -> list[Told]:
        """What the node told the peer of an introduction."""
        return [one for one in told(self._from_node(self.wire.records)) if one.introduction == str(introduction)]

    def _from_node(self, records: Iterable[Record]) -> Iterable[Record]:
        topics = {name for name in self.wire.written if f".to.{self.peer.code}." in name}
        return (one for one in records if one.topic in topics)

    def _judge(self, rule: Rule, judgement: Judgement) -> None:
        self.judged.setdefault(rule, []).append(judgement)


def _places(facts: Sequence[Told]) -> str:
    return ", ".join(one.record.place for one in facts)
