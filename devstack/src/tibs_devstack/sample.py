"""The sample: real organisations from public stories, each kept by a region's desk, with what it sought or offers."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from tibs_chassis.regions import Region

STORY = "p032"
"""The partnership whose need the story tells: its own organisation is registered there, by hand."""


@dataclass(frozen=True)
class Sample:
    """One organisation with one profile. `actor`, `contact` and `profile` are bodies of the registry's API."""

    key: str
    """`p032/need` or `p032/offer`, or the name of a partner organisation of a region."""
    region: str
    actor: dict[str, Any]
    contact: dict[str, Any]
    profile: dict[str, Any] | None


def organisations(running: Sequence[str]) -> list[Sample]:
    """All organisations of the stories, kept by regions that run here."""
    folder = files("tibs_devstack") / "data"
    more = yaml.safe_load((folder / "sample.yaml").read_text(encoding="utf-8"))
    found = []
    for text in (folder / "partnerships.jsonl").read_text(encoding="utf-8").splitlines():
        story = json.loads(text)
        for side, organisation in (("need", story["a"]), ("offer", story["b"])):
            chosen = more["partnerships"][story["id"]][side]
            found.append(
                _sample(
                    key=f"{story['id']}/{side}",
                    region=_desk(chosen["region"], running, more["desks"]),
                    organisation=organisation,
                    chosen=chosen,
                )
            )
    return found


def partners_of(region: Region) -> list[Sample]:
    """The organisations that run or support brokerage in a region, as actors of their own region."""
    kinds = {"university": "research", "research institute": "research", "public authority": "authority"}
    return [
        Sample(
            key=partner.name,
            region=region.code,
            actor={
                "name": partner.name,
                "kind": kinds.get(partner.kind, "intermediary"),
                "country": region.country,
                "description": f"{partner.kind.capitalize()}, {partner.role} of the region in the brokerage network.",
                "languages": list(region.languages),
                "listed": True,
            },
            contact=_contact(partner.name, region.languages[0]),
            profile=None,
        )
        for partner in region.partners
    ]


def _desk(region: str, running: Sequence[str], desks: dict[str, list[str]]) -> str:
    return next((code for code in (region, *desks[region]) if code in running), running[0])


def _sample(*, key: str, region: str, organisation: dict[str, Any], chosen: dict[str, Any]) -> Sample:
    describes = organisation["describes"]
    need = organisation.get("need")
    text = need or describes
    description = f"{text} {_anonymous(describes, organisation['name'])}" if need else _at_length(text, organisation)
    return Sample(
        key=key,
        region=region,
        actor={
            "name": organisation["name"],
            "kind": organisation["kind"] if organisation["kind"] != "large" else "large_company",
            "country": organisation["country"],
            "town": organisation["town"],
            "sectors": chosen["sectors"],
            "languages": ["en"],
            "description": describes,
            "listed": True,
        },
        contact=_contact(organisation["name"], "en"),
        profile={
            "profile_type": chosen["type"],
            "title": chosen["title"],
            "summary": _first_sentences(text, 480),
            "description": description,
            "advantages": "" if need else _first_sentences(describes, 400),
            "language": "en",
            "cooperation": chosen["cooperation"],
            "sectors": chosen["sectors"],
            "technology_keywords": [organisation["sector"]],
            "languages": ["en"],
            "target_countries": chosen.get("target_countries", []),
            "partner_sought": {
                "task": chosen.get("task", "Use what is offered, or develop it further together"),
                "field": organisation["sector"],
            },
            # The stories do not say how far a technology is; that others already use it, they do.
            **({"stage": "available_for_demonstration"} if chosen["type"] == "TO" else {}),
            **({"research_call": {"programme": "Interreg Baltic Sea Region"}} if chosen["type"] == "RDR" else {}),
        },
    )


def _contact(name: str, language: str) -> dict[str, Any]:
    return {
        "name": "Partnership desk",
        "function": "Role mailbox",
        "email": f"partnership@{_slug(name)}.example",
        "language": language,
        "purpose": "Brokerage of partnerships",
        "basis": "legitimate_interest",
    }


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")


def _first_sentences(text: str, length: int) -> str:
    kept = ""
    for sentence in re.split(r"(?<=[.!?])\s+", text):
        if kept and len(kept) + len(sentence) + 1 > length:
            break
        kept = f"{kept} {sentence}".strip()
    return kept[:length]


def _anonymous(text: str, name: str) -> str:
    # A profile says nothing that names its client; the stories are told without names but for a few.
    return "" if any(part in text for part in re.findall(r"\w{4,}", name)) else text


def _at_length(text: str, organisation: dict[str, Any]) -> str:
    return (
        text
        if len(text) >= 100
        else f"{text} The organisation works in {organisation['sector']} and is open to others."
    )
