"""What codes are called on the screen: a word, an icon and a meaning for each."""

from dataclasses import dataclass

from babel import Locale

from tibs_cases.web.i18n import current_locale, gettext
from tibs_cases.web.i18n import marked as _


@dataclass(frozen=True)
class Sign:
    """How a state is shown: never by colour alone."""

    word: str
    icon: str
    meaning: str = ""
    """`sea`, `amber`, `red`, `green` or nothing."""


ACTOR_KINDS = {
    "sme": _("Small or medium company"),
    "large_company": _("Large company"),
    "research": _("Research organisation"),
    "cluster": _("Cluster or network"),
    "intermediary": _("Intermediary"),
    "authority": _("Public authority"),
    "other": _("Other organisation"),
}

SIZES = {
    "micro": _("Micro"),
    "small": _("Small"),
    "medium": _("Medium"),
    "large": _("Large"),
}

#: limits of the EU definition (Recommendation 2003/361/EC)
SIZE_LIMITS = {
    "micro": _("fewer than 10 staff, up to €2 million"),
    "small": _("fewer than 50 staff, up to €10 million"),
    "medium": _("fewer than 250 staff, up to €50 million"),
    "large": _("250 staff or more"),
}

PROFILE_TYPES = {
    "BO": _("Business offer"),
    "BR": _("Business request"),
    "TO": _("Technology offer"),
    "TR": _("Technology request"),
    "RDR": _("R&D request"),
}

PROFILE_TYPE_HELP = {
    "BO": _("The client sells: products, services, capacity."),
    "BR": _("The client buys: a supplier, a service, production."),
    "TO": _("The client has a technology that others may use."),
    "TR": _("The client needs a technology and pays for it."),
    "RDR": _("The client seeks partners for a research project."),
}

STAGES = {
    "concept": _("Concept"),
    "lab_tested": _("Lab tested"),
    "prototype": _("Prototype"),
    "field_tested": _("Field tested"),
    "available_for_demonstration": _("Available for demonstration"),
    "on_the_market": _("On the market"),
}

IPR = {
    "granted": _("Patent granted"),
    "applied": _("Patent applied for"),
    "secret_know_how": _("Secret know-how"),
    "copyright": _("Copyright"),
    "design": _("Design right"),
    "trade_mark": _("Trade mark"),
    "none": _("None"),
}

COOPERATION = {
    "business.commercial_agency": _("Commercial agency"),
    "business.distribution": _("Distribution"),
    "business.franchise": _("Franchise"),
    "business.joint_venture": _("Joint venture"),
    "business.licence": _("Licence"),
    "business.manufacturing": _("Manufacturing"),
    "business.outsourcing": _("Outsourcing"),
    "business.reciprocal_production": _("Reciprocal production"),
    "business.services": _("Services"),
    "business.subcontracting": _("Subcontracting"),
    "business.acquisition": _("Acquisition"),
    "business.investment": _("Investment"),
    "technology.commercial_agreement_with_technical_assistance": _("Commercial agreement with technical assistance"),
    "technology.technical_cooperation": _("Technical cooperation"),
    "technology.licence": _("Technology licence"),
    "technology.joint_venture": _("Technology joint venture"),
    "technology.manufacturing": _("Manufacturing of a technology"),
    "research.research_cooperation": _("Research cooperation"),
}

SECTORS = {
    "aeronautics_space": _("Aeronautics and space"),
    "agrofood": _("Agrofood"),
    "automotive_transport_logistics": _("Automotive, transport and logistics"),
    "biochemtech_pharma": _("Bio-chem-tech and pharma"),
    "creative_industries": _("Creative industries"),
    "environment": _("Environment"),
    "healthcare": _("Healthcare"),
    "ict": _("ICT"),
    "intelligent_energy": _("Intelligent energy"),
    "maritime": _("Maritime"),
    "materials": _("Materials"),
    "nano_micro": _("Nano and micro technologies"),
    "services_retail": _("Services and retail"),
    "sustainable_construction": _("Sustainable construction"),
    "textile_fashion": _("Textile and fashion"),
    "tourism_heritage": _("Tourism and cultural heritage"),
    "women_entrepreneurship": _("Women entrepreneurship"),
}

TRANS_S3 = {
    "advanced_manufacturing": _("Advanced manufacturing"),
    "circular_economy": _("Circular economy"),
    "bioeconomy": _("Bioeconomy"),
    "resource_efficiency_rehabilitation": _("Resource efficiency and rehabilitation"),
    "sustainable_water_management": _("Sustainable water management"),
    "smart_health": _("Smart health"),
    "smart_cities": _("Smart cities"),
    "digitalisation_cybersecurity": _("Digitalisation and cybersecurity"),
}

DECLINE_REASONS = {
    "not_fitting": _("Not what the client looks for"),
    "capacity": _("No capacity now"),
    "already_found": _("Already found a partner"),
    "geography": _("Too far away"),
    "competitor": _("A competitor"),
    "trust": _("Not enough trust yet"),
    "client_not_reachable": _("Client not reachable"),
    "other": _("Another reason"),
}

CONSENT_METHODS = {
    "meeting": _("In a meeting"),
    "phone": _("By phone"),
    "mail": _("By mail"),
    "form": _("On a signed form"),
}

CLOSING_REASONS = {
    "agreement_reached": _("Agreement reached"),
    "no_suitable_partner": _("No suitable partner"),
    "client_withdrew": _("Client withdrew"),
    "not_ready": _("Client not ready"),
    "funded_elsewhere": _("Funded elsewhere"),
    "duplicate": _("Duplicate"),
}

ROLES = {
    "broker": _("Broker"),
    "lead": _("Lead"),
    "reviewer": _("Reviewer"),
    "analyst": _("Analyst"),
    "integration": _("Integration"),
    "node": _("Node"),
}

PROFILE_STATES = {
    "draft": Sign(_("Draft"), "edit"),
    "internal_review": Sign(_("In review"), "user-check", "amber"),
    "returned": Sign(_("Returned"), "arrow-back-up", "red"),
    "published": Sign(_("Published"), "circle-check", "green"),
    "expired": Sign(_("Expired"), "hourglass"),
    "withdrawn": Sign(_("Withdrawn"), "archive"),
}

CASE_STEPS = {
    "intake": _("Intake"),
    "diagnosis": _("Diagnosis"),
    "partner_search": _("Partner search"),
    "shortlist": _("Shortlist"),
    "introduction": _("Introduction"),
    "negotiation": _("Negotiation"),
    "strategy": _("Strategy"),
    "implementation": _("Implementation"),
    "closed": _("Closed"),
    "on_hold": _("On hold"),
}

FIELDS = {
    "title": _("Title"),
    "summary": _("Summary"),
    "description": _("Description"),
    "advantages": _("Advantages and innovations"),
    "profile_type": _("Type"),
    "stage_comment": _("Comment on the stage"),
    "ipr_comment": _("Comment on intellectual property"),
    "technology_keywords": _("Technology keywords"),
    "market_keywords": _("Market keywords"),
    "cooperation": _("Cooperation wanted"),
    "partner_sought": _("Partner sought"),
    "partner_sought.field": _("Partner's field"),
    "partner_sought.task": _("Partner's task"),
}

LIKENESS = {
    "registration_number": _("the registration number"),
    "vat": _("the VAT number"),
    "domain": _("the web domain"),
    "name": _("the name"),
    "similar_name": _("a similar name"),
}

_LISTS: dict[str, dict[str, str]] = {
    "kind": ACTOR_KINDS,
    "size": SIZES,
    "type": PROFILE_TYPES,
    "stage": STAGES,
    "ipr": IPR,
    "cooperation": COOPERATION,
    "sector": SECTORS,
    "trans_s3": TRANS_S3,
    "decline": DECLINE_REASONS,
    "method": CONSENT_METHODS,
    "closing": CLOSING_REASONS,
    "role": ROLES,
    "step": CASE_STEPS,
    "field": FIELDS,
    "likeness": LIKENESS,
}


def name(of: str, code: object) -> str:
    """What a code of a list is called; the code itself, made readable, when the list does not know it."""
    text = _LISTS[of].get(str(code))
    return gettext(text) if text is not None else str(code).rpartition(".")[2].replace("_", " ").capitalize()


def names(of: str, codes: list[str]) -> str:
    return ", ".join(name(of, code) for code in codes)


def options(of: str) -> list[tuple[str, str]]:
    """All codes of a list with their names, for a field."""
    return [(code, gettext(text)) for code, text in _LISTS[of].items()]


def profile_state(code: object) -> Sign:
    return PROFILE_STATES.get(str(code), Sign(str(code).replace("_", " ").capitalize(), "circle"))


def country(code: str) -> str:
    found = current_locale().territories.get(code)
    return found or code


def language(code: str) -> str:
    """A language in the reader's language, as it begins a line."""
    try:
        found = Locale.parse(code).get_language_name(current_locale().language)
    except ValueError:
        found = None
    return found[:1].upper() + found[1:] if found else code


def countries() -> list[tuple[str, str]]:
    """European countries first thought of by the network's brokers, by name."""
    near = "AT BE BG CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO RS SE SI SK TR UA"
    codes = [*near.split(), "CA", "IL", "JP", "KR", "US"]
    return sorted(((code, country(code)) for code in codes), key=lambda pair: pair[1])


def language_options() -> list[tuple[str, str]]:
    return [(code, language(code)) for code in ("en", "pl", "lv", "et", "lt", "fi", "de", "da", "sv", "fr", "es", "it")]
