"""The node as this service knows it: who writes, with the terms of its promises and the key of its mail."""

from dataclasses import dataclass, field

from joserfc.jwk import OKPKey

from tibs_cases.promises.rules import TERMS, Terms
from tibs_chassis.node import Node


@dataclass(frozen=True)
class CasesNode(Node):
    """A node whose desk makes promises and receives contact data."""

    terms: Terms = TERMS
    contacts_key: OKPKey | None = field(default=None, repr=False)
    """Opens what other regions seal for this one."""
