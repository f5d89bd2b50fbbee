"""Context: in which respects the two sides agree, each with a score, a sentence, and the change that would mend it.

A respect of which one side tells nothing is left open: it counts half, so that to tell something that fits never harms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from tibs_contracts.codes import ActorKind, OpenCode, ProfileType, SizeClass
from tibs_matching.matches.model import Agreement, ReasonKind, Sought, Told
from tibs_matching.matches.words import a, countries, country, days, label, labels, languages, listed

OPEN = 0.5


@dataclass(frozen=True)
class Facet:
    """One respect. `score` is None while a side tells nothing of it."""

    kind: ReasonKind
    score: float | None = None
    text: str = ""
    values: tuple[str, ...] = ()
    change: str | None = None

    @property
    def agreement(self) -> Agreement:
        if self.score is None:
            return Agreement.UNKNOWN
        if self.score >= 0.8:
            return Agreement.AGREES
        return Agreement.PARTLY if self.score >= 0.3 else Agreement.DIFFERS


_BO, _BR = ProfileType.BUSINESS_OFFER, ProfileType.BUSINESS_REQUEST
_TO, _TR = ProfileType.TECHNOLOGY_OFFER, ProfileType.TECHNOLOGY_REQUEST
_RDR = ProfileType.RESEARCH_REQUEST

ANSWERS: dict[ProfileType, dict[ProfileType, float]] = {
    _BR: {_BO: 1.0, _TO: 0.5},
    _TR: {_TO: 1.0, _BO: 0.5},
    _RDR: {_TO: 1.0, _RDR: 0.5, _BO: 0.4},
    _BO: {_BR: 1.0, _TR: 0.5, _RDR: 0.4},
    _TO: {_TR: 1.0, _RDR: 1.0, _BR: 0.5},
}
"""Which types of profile answer which, and how well. What is not here does not answer: two requests have nothing to
trade, but for two R&D requests that may become one consortium."""
_OFFERS = frozenset({_BO, _TO})


def answering(need: ProfileType | None) -> list[ProfileType] | None:
    """The types that answer a need; None for any."""
    return None if need is None else list(ANSWERS[need])


def type_fit(need: Told, other: Told) -> Facet:
    """Offers answer requests."""
    kind = ReasonKind.TYPE
    if need.type is None or other.type is None:
        return Facet(kind)
    score = ANSWERS.get(need.type, {}).get(other.type, 0.0)
    if need.type is _RDR and other.type is not _TO and other.kind is ActorKind.RESEARCH:
        score = max(score, 0.8)
    best = max(ANSWERS[need.type], key=lambda one: ANSWERS[need.type or _BR][one])
    what, answer = a(label(need.type)), a(label(other.type))
    values = (need.type.value, other.type.value)
    if score >= 0.8:
        return Facet(kind, score, f"{answer.capitalize()} answers {what}.", values)
    return Facet(
        kind,
        score,
        f"It is {answer}, which answers {what} only in part.",
        values,
        f"It would fit fully if its client also published {a(label(best))}.",
    )


def cooperation_fit(need: Told, other: Told) -> Facet:
    """Both want the same kind of cooperation, or at least one of the same family."""
    kind = ReasonKind.COOPERATION
    if not need.cooperation or not other.cooperation:
        return Facet(kind)
    shared = need.cooperation & other.cooperation
    if shared:
        named = labels(shared)
        return Facet(kind, 1.0, f"Both want {listed(named)}.", tuple(code.value for code in sorted(shared)))
    offered = listed(labels(other.cooperation), "or")
    change = f"It would fit if your client accepted {offered}."
    if {one.family for one in need.cooperation} & {one.family for one in other.cooperation}:
        return Facet(kind, 0.5, f"It wants a related kind of cooperation: {offered}.", change=change)
    return Facet(kind, 0.0, f"It wants another kind of cooperation: {offered}.", change=change)


def country_sought(need: Told, other: Told) -> Facet:
    """The partner is where the need looks for one."""
    kind = ReasonKind.COUNTRY_SOUGHT
    if not need.target_countries or other.country is None:
        return Facet(kind)
    name = country(other.country)
    if other.country in need.target_countries:
        return Facet(kind, 1.0, f"It is from {name}, where a partner is sought.", (other.country,))
    return Facet(
        kind,
        0.0,
        f"It is from {name}; a partner is sought in {_some(countries(need.target_countries))}.",
        (other.country,),
        f"It would fit if {name} were added to the countries sought.",
    )


def country_wanted_back(need: Told, other: Told) -> Facet:
    """The partner looks for one where the client is."""
    kind = ReasonKind.COUNTRY_WANTED_BACK
    if not other.target_countries or need.country is None:
        return Facet(kind)
    name = country(need.country)
    if need.country in other.target_countries:
        return Facet(kind, 1.0, f"It looks for partners in {name}.", (need.country,))
    return Facet(
        kind,
        0.0,
        f"It looks for partners in {_some(countries(other.target_countries))}, not in {name}.",
        tuple(sorted(other.target_countries)),
        f"It would fit if its broker opened it to {name}.",
    )


def partner_sought(need: Told, other: Told) -> Facet:
    """The partner is of the kind and size that the need names."""
    return _sought(
        ReasonKind.PARTNER_SOUGHT,
        need.sought,
        kind=other.kind,
        size=other.size,
        agrees="It is {what}, as sought.",
        differs="It is {what}; sought is {wanted}.",
        change="It would fit if {what} were sought too.",
    )


def partner_wanted_back(need: Told, other: Told) -> Facet:
    """The client is of the kind and size that the partner names."""
    return _sought(
        ReasonKind.PARTNER_WANTED_BACK,
        other.sought,
        kind=need.kind,
        size=need.size,
        agrees="It looks for {what}, as your client is.",
        differs="It looks for {wanted}; your client is {what}.",
        change="It would fit if its broker accepted {what}.",
    )


def stage_fit(need: Told, other: Told) -> Facet:
    """What is offered is at least as ready as what is wanted."""
    kind = ReasonKind.STAGE
    if need.trl is None or other.trl is None or need.type is None:
        return Facet(kind)
    wanted, offered = (other.trl, need.trl) if need.type in _OFFERS else (need.trl, other.trl)
    values = (str(wanted), str(offered))
    if offered >= wanted:
        return Facet(kind, 1.0, f"What is offered is at readiness level {offered}; {wanted} is wanted.", values)
    text = f"What is offered is at readiness level {offered}, below the {wanted} that is wanted."
    change = f"It would fit if level {offered} were enough, or once it has matured."
    return Facet(kind, 0.5 if wanted - offered <= 2 else 0.0, text, values, change)


def language_fit(need: Told, other: Told) -> Facet:
    """They can talk."""
    kind = ReasonKind.LANGUAGE
    if not need.languages or not other.languages:
        return Facet(kind)
    shared = need.languages & other.languages
    if shared:
        return Facet(kind, 1.0, f"Both work in {listed(languages(shared))}.", tuple(sorted(shared)))
    return Facet(
        kind,
        0.0,
        f"It names no common language, but {listed(languages(other.languages))}.",
        tuple(sorted(other.languages)),
        "It would fit if both sides could work in one language, such as English.",
    )


def priority_fit(need: Told, other: Told) -> Facet:
    """They work in the same field of smart specialisation."""
    kind = ReasonKind.PRIORITY
    if not need.trans_s3 or not other.trans_s3:
        return Facet(kind)
    shared = need.trans_s3 & other.trans_s3
    if shared:
        named = listed(labels(shared))
        return Facet(
            kind, 1.0, f"Both belong to the shared priority {named}.", tuple(code.value for code in sorted(shared))
        )
    return Facet(kind, 0.0, f"It belongs to another priority: {listed(labels(other.trans_s3))}.")


def freshness(published_on: date, today: date) -> Facet:
    """Young profiles are more likely to be true still: full marks for a month, none after a year."""
    age = max((today - published_on).days, 0)
    score = min(1.0, max(0.0, 1 - (age - 30) / 335))
    change = "It would stand higher if its broker confirmed that it is still true." if score < OPEN else None
    return Facet(ReasonKind.FRESHNESS, score, f"It was published {days(age)}.", (str(age),), change)


COMPARED: tuple[Callable[[Told, Told], Facet], ...] = (
    type_fit,
    cooperation_fit,
    country_sought,
    country_wanted_back,
    partner_sought,
    partner_wanted_back,
    stage_fit,
    language_fit,
    priority_fit,
)


def facets(need: Told, other: Told, *, published_on: date, today: date) -> list[Facet]:
    """All respects, told or open."""
    return [compare(need, other) for compare in COMPARED] + [freshness(published_on, today)]


def _sought(
    reason: ReasonKind,
    sought: Sought,
    *,
    kind: ActorKind | None,
    size: SizeClass | None,
    agrees: str,
    differs: str,
    change: str,
) -> Facet:
    kinds_told = bool(sought.kinds) and kind is not None
    sizes_told = bool(sought.sizes) and size is not None
    if not (kinds_told or sizes_told):
        return Facet(reason)
    kind_fits = not kinds_told or kind in sought.kinds
    size_fits = not sizes_told or size in sought.sizes
    wanted = listed([a(one) for one in _named(sought.kinds, sought.sizes if sizes_told else frozenset())], "or")
    what = _what(kind, size if sizes_told else None)
    values = tuple(code.value for code in (kind, size) if code is not None)
    if kind_fits and size_fits:
        return Facet(reason, 1.0, agrees.format(what=what), values)
    score = 0.5 if kind_fits else 0.0
    return Facet(reason, score, differs.format(what=what, wanted=wanted), values, change.format(what=what))


def _what(kind: ActorKind | None, size: SizeClass | None) -> str:
    noun = label(kind) if kind is not None else "organisation"
    if size is not None and noun.startswith("small or medium-sized"):
        noun = noun.replace("small or medium-sized", size.value)
    elif size is not None:
        noun = f"{noun} ({size.value})"
    return a(noun)


def _named(kinds: frozenset[ActorKind], sizes: frozenset[SizeClass]) -> list[str]:
    ordered: list[OpenCode] = sorted(kinds) or []
    nouns = [label(code) for code in ordered] or ["organisation"]
    sized = listed([code.value for code in SizeClass if code in sizes], "or")
    return [f"{noun} ({sized})" for noun in nouns] if sized else nouns


def _some(names: list[str]) -> str:
    return listed(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more countries"
