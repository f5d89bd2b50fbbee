"""What came of a run: a verdict for each rule, with a sentence where there is something to say."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from conformance.rules import ANSWER, Rule

Judgement = str | None
"""Of one thing that a rule looked at: None if it is right, else a sentence that says what is wrong."""


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_OBSERVED = "not observed"


@dataclass(frozen=True)
class Finding:
    """A rule's verdict over `looked_at` things."""

    rule: Rule
    verdict: Verdict
    sentence: str = ""
    looked_at: int = 0


def finding(rule: Rule, judgements: Iterable[Judgement], *, unseen: str = "") -> Finding:
    """One wrong thing fails a rule. `unseen` says why there was nothing to look at."""
    all_of_them = list(judgements)
    wrong = [one for one in all_of_them if one is not None]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return Finding(rule, Verdict.FAILED, f"{wrong[0]}{more}", len(all_of_them))
    if not all_of_them:
        return Finding(rule, Verdict.NOT_OBSERVED, unseen or "there was nothing to look at")
    return Finding(rule, Verdict.PASSED, "", len(all_of_them))


@dataclass(frozen=True)
class Report:
    """The findings on one node, as a peer saw it."""

    region: str
    peer: str
    records: int
    findings: list[Finding]
    tried: bool = True
    """Whether the node was asked anything."""

    @property
    def conforms(self) -> bool | None:
        """None if too little was seen: nothing that the node wrote, or no request that it could have answered."""
        if self.failed:
            return False
        answered = self.by_id[ANSWER.id].verdict is Verdict.PASSED
        return True if self.records and (answered or not self.tried) else None

    @property
    def by_id(self) -> Mapping[str, Finding]:
        return {one.rule.id: one for one in self.findings}

    @property
    def failed(self) -> Mapping[str, str]:
        """The sentence of each rule that failed."""
        return {one.rule.id: one.sentence for one in self.findings if one.verdict is Verdict.FAILED}

    def table(self) -> str:
        width = max(len(one.rule.id) for one in self.findings)
        lines = [f"{self.region}, by {self.records} records and as {self.peer} met it", ""]
        for one in self.findings:
            lines.append(f"{one.rule.id:{width}}  {one.verdict.value:12}  {one.sentence or one.rule.demand}")
        counts = ", ".join(f"{sum(one.verdict is each for one in self.findings)} {each.value}" for each in Verdict)
        outcome = {True: "conforms", False: "does not conform", None: "too little was seen"}[self.conforms]
        return "\n".join([*lines, "", f"{outcome}: {counts}"])

    def json(self) -> str:
        return json.dumps(
            {
                "region": self.region,
                "peer": self.peer,
                "records": self.records,
                "conforms": self.conforms,
                "rules": [
                    {
                        "rule": one.rule.id,
                        "verdict": one.verdict.value,
                        "sentence": one.sentence,
                        "demands": one.rule.demand,
                        "looked_at": one.looked_at,
                    }
                    for one in self.findings
                ],
            },
            ensure_ascii=False,
        )
