"""What counts the versions of this service's aggregates, for the day when a backup is restored."""

from tibs_chassis.restored.reconcile import Versions

# Contact data travel as a fact of the introduction, by its numbers. Nothing here can be told again: these are facts
# between people, and a person decides what becomes of those that this database has forgotten.
VERSIONS = Versions(
    tables={
        "case": "brokerage_case",
        "introduction": "introduction",
        "contacts": "introduction",
        "promise": "promise",
    }
)
