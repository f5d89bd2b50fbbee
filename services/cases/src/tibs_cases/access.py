"""Who may call what: one row a route. What of it, a broker or a deputy or a lead may see, `desk.rules` says."""

from tibs_chassis.auth import PEOPLE, Role

DESK = frozenset({Role.BROKER, Role.LEAD})
"""Who works cases."""

LEADS = frozenset({Role.LEAD})

ACCESS: dict[str, frozenset[Role]] = {
    # people
    "list_people": LEADS | {Role.NODE},
    "get_person": frozenset({Role.LEAD, Role.NODE}),
    "put_person": LEADS,
    "put_absence": PEOPLE,
    # cases
    "list_cases": DESK,
    "open_case": DESK,
    "get_case": DESK,
    "change_need": DESK,
    "write_diagnosis": DESK,
    "declare_no_conflict": DESK,
    "record_first_contact": DESK,
    "move_case": DESK,
    "assign_case": LEADS,
    "add_note": DESK,
    "shortlist_profile": DESK,
    "judge_profile": DESK,
    "remove_profile": DESK,
    "case_timeline": DESK,
    "pin_entry": DESK,
    # introductions
    "request_introduction": DESK,
    "list_introductions": DESK,
    "get_introduction": DESK,
    "read_contacts": DESK,
    "acknowledge_introduction": DESK,
    "accept_introduction": DESK,
    "consent_to_introduction": DESK,
    "decline_introduction": DESK,
    "withdraw_introduction": DESK,
    "write_message": DESK,
    "assign_introduction": LEADS,
    "introduction_timeline": DESK,
    # the network
    "list_peers": PEOPLE,
    # the day
    "show_today": PEOPLE,
}
