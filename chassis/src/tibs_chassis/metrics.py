"""What a node tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_WAITING = Gauge("tibs_outbox_waiting", "Events committed but not yet confirmed by Kafka.")
OUTBOX_AGE = Gauge("tibs_outbox_age_seconds", "Age of the oldest event that Kafka has not confirmed.")
OUTBOX_PUBLISHED = Counter("tibs_outbox_published_total", "Events confirmed by Kafka.")
RELAY_HELD = Gauge(
    "tibs_relay_held", "1 while nothing is published, for the database is older than what it has published."
)
INBOX = Counter(
    "tibs_inbox_total",
    "Records by consumer and by what became of them: applied, repeated, outdated, skipped, dead, quarantined.",
    ["consumer", "outcome"],
)
HANDLER_SECONDS = Histogram(
    "tibs_handler_seconds",
    "Time from a record's arrival to the end of its transaction.",
    ["consumer", "type"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
RETRIES = Counter("tibs_handler_retries_total", "Attempts that failed for a passing reason.", ["consumer"])
DEAD_LETTERS = Counter("tibs_dead_letters_total", "Records put aside because they are broken.", ["consumer"])
QUARANTINED = Counter(
    "tibs_quarantined_total", "Records put aside because they are not believed.", ["consumer", "region"]
)
REQUEST_SECONDS = Histogram(
    "tibs_request_seconds",
    "Time to answer a request.",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
