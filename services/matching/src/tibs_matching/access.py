"""Who may call what."""

from tibs_chassis.access import Access
from tibs_chassis.auth import EVERYBODY, PEOPLE, Role

ACCESS: Access = {
    "find_matches": PEOPLE | {Role.INTEGRATION, Role.NODE},
    "give_verdict": frozenset({Role.BROKER, Role.LEAD}),
    "list_verdicts": frozenset({Role.BROKER, Role.LEAD, Role.REVIEWER}),
    "describe_index": EVERYBODY,
}
