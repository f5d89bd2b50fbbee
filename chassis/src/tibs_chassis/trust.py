"""Whether a record that came from another region is believed, and the key with which this region is."""

import json
from pathlib import Path

from tibs_chassis import clock
from tibs_chassis.records import Record, Untrusted
from tibs_chassis.regions import Region, Regions
from tibs_chassis.standings import Standings
from tibs_contracts.envelope import Envelope
from tibs_contracts.signatures import SignatureError, Signer
from tibs_contracts.topics import Channel, Topic


class Trust:
    """A node's judgement of what it reads. Regions and standings may change while it is in use."""

    def __init__(self, *, region: str, regions: Regions, standings: Standings | None = None) -> None:
        self._region = region
        self._regions = regions
        self._standings = standings or Standings(region=region, regions=regions, file=None)

    def check(self, record: Record, *, topic: Topic, envelope: Envelope) -> None:
        """Raises Untrusted. What services of a node tell each other never leaves it and is not signed."""
        if topic.channel is Channel.LOCAL:
            return
        if topic.region not in self._regions:
            raise Untrusted(f"region '{topic.region}' is not in this node's list of regions")
        standing = self._standings.blocked(topic.region)
        if standing is not None:
            raise Untrusted(f"{self._region} blocks {topic.region} since {standing.since}: {standing.reason}")
        try:
            self._regions.keyring.verify(
                topic=topic, envelope=envelope, key=record.key, headers=record.headers, value=record.value
            )
        except SignatureError as error:
            raise Untrusted(str(error)) from None

    def blocks(self, region: str) -> bool:
        return self._standings.blocked(region) is not None


def load_signer(path: Path, *, region: Region) -> Signer:
    """This region's private key, a JWK in a file. SignatureError if it is none, or if others could not check it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SignatureError(f"{path} cannot be read as a signing key (JWK): {type(error).__name__}") from None
    try:
        signer = Signer(content)
    except SignatureError as error:
        raise SignatureError(f"{path}: {error}") from None
    held = next((key for key in region.keys.signing if key.kid == signer.kid), None)
    if held is None or held.x != signer.public["x"]:
        known = ", ".join(key.kid for key in region.keys.signing) or "none"
        raise SignatureError(
            f"{path} holds key '{signer.kid}', whose public half is not among the signing keys of region "
            f"'{region.code}' in regions.yaml ({known}): nobody would believe what it signs"
        )
    if held.until is not None and held.until < clock.now():
        raise SignatureError(f"{path} holds key '{signer.kid}', which regions.yaml lets sign until {held.until} only")
    return signer
