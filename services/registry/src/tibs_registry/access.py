"""Who may call what: every route of the service, by the name of its function."""

from tibs_chassis.auth import EVERYBODY, Role

_DESK = frozenset({Role.BROKER, Role.LEAD})
_WORKS_ON_PROFILES = _DESK | {Role.REVIEWER}
# Other services of the node act on events, when no person asks.
_READS_PROFILES = _WORKS_ON_PROFILES | {Role.NODE}
_READS_CONTACTS = _DESK | {Role.NODE}

ACCESS: dict[str, frozenset[Role]] = {
    "list_actors": _READS_PROFILES,
    "register_actor": _DESK,
    "get_actor": _READS_PROFILES,
    "change_actor": _DESK,
    "list_contacts": _READS_CONTACTS,
    "add_contact": _DESK,
    "get_contact": _READS_CONTACTS,
    "change_contact": _DESK,
    "give_consent": _DESK,
    "withdraw_consent": _DESK,
    "list_profiles": _READS_PROFILES,
    "draft_profile": _DESK,
    "get_profile": _READS_PROFILES,
    "change_profile": _DESK,
    "check_anonymity": _WORKS_ON_PROFILES,
    "submit_profile": _DESK,
    "review_profile": frozenset({Role.REVIEWER}),
    "withdraw_profile": _DESK,
    "search_profiles": EVERYBODY,
    "get_listed_profile": EVERYBODY,
    "search_actors": EVERYBODY,
    "get_listed_actor": EVERYBODY,
}
