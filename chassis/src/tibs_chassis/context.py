"""What is being handled, for whatever happens below."""

from contextvars import ContextVar

from tibs_contracts.envelope import Envelope

handling: ContextVar[Envelope | None] = ContextVar("handling", default=None)
"""The event whose handler is running; None while a request is served."""
