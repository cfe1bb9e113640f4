"""The peer's side: `oidc-provider` on its own PostgreSQL, with the same clients, people and durability (`peer/`)."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks import machine
from benchmarks.agency import Agency, Key, b64
from benchmarks.machine import Missing
from benchmarks.side import RESOURCE, Side, Size, Visit, skewed

PEER = Path(__file__).parent / "peer"
OPAQUE = "https://opaque.example/"  # it can be asked about opaque tokens only
PATHS = {
    "par": "/request",
    "authorize": "/auth",
    "token": "/token",
    "introspection": "/token/introspection",
    "userinfo": "/me",
}


def install() -> Path:
    """Install what the lock names; returns the Node to run it with. Raises `Missing` where there is no npm."""
    if shutil.which("npm") is None:
        raise Missing("npm is not installed (on Debian: apt-get install npm); it fetches the peer and its Node")
    node = PEER / "node_modules" / "node" / "bin" / "node"
    marker = PEER / "node_modules" / ".package-lock.json"
    lock = PEER / "package-lock.json"
    if not node.exists() or not marker.exists() or marker.stat().st_mtime < lock.stat().st_mtime:
        done = subprocess.run(["npm", "ci"], cwd=PEER, check=False, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"npm could not install the peer: {done.stderr[-2000:]}")
        marker.touch()
    return node


@contextmanager
def running(folder: Path, size: Size, *, workers: int) -> Iterator[Side]:
    """Load the peer and serve it until the end of the block."""
    node = install()
    with machine.postgresql() as server:
        port = machine.free_port()
        issuer = f"http://127.0.0.1:{port}"
        agencies = [Agency(f"agency-{n}", issuer) for n in range(size.agencies)]
        signing, files_secret = Agency("files-signing", issuer), b64(os.urandom(32))
        dice = random.Random(1)
        chosen = dice.sample(range(size.citizens), size.visits)
        pairs = [(person, agencies[skewed(dice, size.agencies)]) for person in chosen]
        told = {
            "issuer": issuer,
            "port": port,
            "workers": workers,
            "database": server.url(),
            "citizens": size.citizens,
            "agencies": size.agencies,
            "visits": [[person, agency.client_id] for person, agency in pairs],
            "sessions": str(folder / "sessions.json"),
            "resource": RESOURCE,
            "opaque": OPAQUE,
            "clients": _clients(agencies, signing, files_secret),
            "jwks": {"keys": [_signing_key(), _rsa_key()]},
            "salt": base64.b64encode(os.urandom(32)).decode(),
            "nonce": base64.b64encode(os.urandom(32)).decode(),
        }
        file = folder / "peer.json"
        file.write_text(json.dumps(told))
        main = [str(node), str(PEER / "main.mjs")]
        environment = {**os.environ, "NODE_ENV": "production"}
        subprocess.run([*main, "seed", str(file)], check=True, env=environment, stderr=subprocess.DEVNULL)
        cookies = json.loads((folder / "sessions.json").read_text())
        visits = [Visit(agency, {"_session": cookie}) for (_, agency), cookie in zip(pairs, cookies, strict=True)]
        serving = [*main, "serve", str(file)]
        with machine.program(serving, port=port, log=folder / "peer.log", environment=environment) as process:
            roots, files = (process.pid, server.pid), ("files", files_secret)
            yield Side("peer", port, PATHS, roots, tuple(visits), files, signing, OPAQUE)


def _clients(agencies: Sequence[Agency], signing: Agency, secret: str) -> list[dict[str, Any]]:
    listed = [
        _client(agency)
        | {
            "redirect_uris": [agency.callback],
            "grant_types": ["authorization_code", "client_credentials"],
            "response_types": ["code"],
            "require_pushed_authorization_requests": True,
            "scope": "openid files:read",
        }
        for agency in agencies
    ]
    alone: dict[str, Any] = {"redirect_uris": [], "grant_types": ["client_credentials"], "response_types": []}
    by_secret = {"client_id": "files", "client_secret": secret, "token_endpoint_auth_method": "client_secret_basic"}
    return [*listed, by_secret | alone, _client(signing) | alone]


def _client(agency: Agency) -> dict[str, Any]:
    return {
        "client_id": agency.client_id,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "ES256",
        "subject_type": "pairwise",
        "dpop_bound_access_tokens": True,
        "jwks": {"keys": [{**agency.key.jwk, "kid": agency.key.kid, "alg": "ES256", "use": "sig"}]},
    }


def _signing_key() -> dict[str, str]:
    key = Key()
    d = b64(key.private.private_numbers().private_value.to_bytes(32, "big"))
    return {**key.jwk, "d": d, "kid": key.kid, "alg": "ES256", "use": "sig"}


def _rsa_key() -> dict[str, str]:
    """A key for what the peer has to be able to sign; nothing here is signed with it."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()
    parts = {"n": private.public_numbers.n, "e": private.public_numbers.e, "d": private.d, "p": private.p}
    parts |= {"q": private.q, "dp": private.dmp1, "dq": private.dmq1, "qi": private.iqmp}
    members = {name: b64(value.to_bytes((value.bit_length() + 7) // 8, "big")) for name, value in parts.items()}
    return {"kty": "RSA", **members, "alg": "RS256", "use": "sig"}
