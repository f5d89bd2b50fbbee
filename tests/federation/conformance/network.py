"""The regions as the suite knows them, and the keys with which it plays one of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from tibs_contracts.signatures import Keyring, SignatureError, Signer


class NotReady(Exception):
    """The suite cannot run; the message says what is missing."""


@dataclass(frozen=True)
class Network:
    """From `regions.yaml`: the regions, the keys they sign with, the public keys that contacts are sealed for."""

    keyring: Keyring
    contacts: Mapping[str, Sequence[Mapping[str, Any]]]
    signing: Mapping[str, Sequence[Mapping[str, Any]]]

    @classmethod
    def load(cls, path: Path) -> "Network":
        """Raises NotReady."""
        try:
            keyring = Keyring.load(path)
            regions = yaml.safe_load(path.read_text(encoding="utf-8"))["regions"]
        except (SignatureError, OSError) as error:
            raise NotReady(f"{path} cannot be read: {error}") from None
        keys = {str(region["code"]): region.get("keys") or {} for region in regions}
        return cls(
            keyring=keyring,
            contacts={code: held.get("contacts") or [] for code, held in keys.items()},
            signing={code: held.get("signing") or [] for code, held in keys.items()},
        )

    @property
    def regions(self) -> frozenset[str]:
        return frozenset(self.contacts)

    def require(self, region: str) -> None:
        """Raises NotReady."""
        if region not in self.regions:
            raise NotReady(f"'{region}' is not a region of the network: {', '.join(sorted(self.regions))}")


@dataclass(frozen=True)
class PeerKeys:
    """The private keys of the region that the suite plays."""

    signer: Signer = field(repr=False)
    contacts: OKPKey = field(repr=False)

    @classmethod
    def load(cls, folder: Path, *, region: str, network: Network) -> "PeerKeys":
        """From `signing.jwk` and `contacts.jwk`. NotReady if they are none, or not those that the network knows."""
        try:
            signer = Signer(json.loads((folder / "signing.jwk").read_text(encoding="utf-8")))
            contacts = OKPKey.import_key(json.loads((folder / "contacts.jwk").read_text(encoding="utf-8")))
        except (OSError, ValueError, JoseError) as error:
            raise NotReady(f"{folder} should hold signing.jwk and contacts.jwk: {error}") from None
        if signer.public["x"] not in [key.get("x") for key in network.signing[region]]:
            raise NotReady(
                f"{folder / 'signing.jwk'} is no key of '{region}' in the list of regions: nobody believes it"
            )
        if contacts.as_dict(private=False)["x"] not in [key.get("x") for key in network.contacts[region]]:
            raise NotReady(f"{folder / 'contacts.jwk'} is no key of '{region}' in the list of regions")
        return cls(signer, contacts)
