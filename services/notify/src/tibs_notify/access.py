"""Who may call what. A row a route, by the route's name."""

from tibs_chassis.access import Access
from tibs_chassis.auth import PEOPLE, Role

ACCESS: Access = {
    "list_notices": PEOPLE,
    "count_unseen": PEOPLE,
    "see_all_notices": PEOPLE,
    "see_notice": PEOPLE,
    "list_deliveries": PEOPLE,
    "get_delivery": PEOPLE,
    "try_delivery_again": PEOPLE,
    "get_preferences": PEOPLE,
    "change_preferences": PEOPLE,
    # Whoever holds a mail's link may use it; the pages pass it on for somebody who is not signed in.
    "read_unsubscription": PEOPLE | {Role.NODE},
    "unsubscribe": PEOPLE | {Role.NODE},
}
