"""Whether a profile may be worked with. Pure."""

from datetime import date


def closed_because(*, withdrawn: bool, valid_until: date, open_for_interest: bool, today: date) -> str | None:
    """Why nobody can answer to a profile any more; None if they can."""
    if withdrawn:
        return "it was withdrawn"
    if today > valid_until:
        return f"it was valid until {valid_until.isoformat()}"
    if not open_for_interest:
        return "it is closed for expressions of interest"
    return None
