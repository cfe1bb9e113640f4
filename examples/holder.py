"""A holder's wallet in one file: receives a credential, keeps it, presents parts of it. Imports nothing of the product.

    python examples/holder.py receive 'openid-credential-offer://?credential_offer_uri=…' --tx-code 123456
    python examples/holder.py show
    python examples/holder.py present --audience https://verifier.example --nonce n-1 --disclose address.locality

It speaks OpenID for Verifiable Credential Issuance 1.0 (pre-authorized code with transaction code, DPoP with nonces, one
`jwt` proof), verifies the SD-JWT VC it gets with the keys of the issuer's `/.well-known/jwt-vc-issuer` before it keeps it,
and makes presentations with key binding (RFC 9901). The wallet's file holds a private key: it is written with mode 0600.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
FORMAT = "dc+sd-jwt"
REQUIRED = ["iss", "exp", "vct", "cnf"]
Clock = Callable[[], float]  # seconds since 1970


class Refused(Exception):
    """The issuer refused, or what it sent does not hold: `code` is its error code or ours."""

    def __init__(self, code: str, description: str = "", status: int = 0) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class Held:
    """A credential with the key it is bound to."""

    credential: str
    key: ec.EllipticCurvePrivateKey

    def save(self, path: Path) -> None:
        """Keep it in a file that only its owner reads."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"credential": self.credential, "key": pem.decode()}, file)

    @classmethod
    def load(cls, path: Path) -> Held:
        """Read it again."""
        kept = json.loads(path.read_text())
        key = serialization.load_pem_private_key(kept["key"].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(kept["credential"], key)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256(text: str) -> str:
    return b64(hashlib.sha256(text.encode()).digest())


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    full = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    return {name: full[name] for name in ("kty", "crv", "x", "y")}


def well_known(issuer: str, name: str) -> str:
    """The address of a well-known document: inserted between host and path."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/{name}{parts.path}"


class Caller:
    """An HTTP client that proves possession of one key and remembers each server address's nonce (RFC 9449)."""

    def __init__(self, http: httpx2.Client, clock: Clock = time.time) -> None:
        self.http = http
        self.clock = clock
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.nonces: dict[str, str] = {}

    def get(self, url: str) -> Any:
        return self._answer(self.http.get(url, headers={"Accept": "application/json"}))

    def post(self, url: str, *, access_token: str | None = None, proven: bool = True, **content: Any) -> Any:
        """POST, again once when the server asks for a nonce."""
        for attempt in (1, 2):
            headers = {"Accept": "application/json"}
            if proven:
                headers["DPoP"] = self.proof("POST", url, access_token)
            if access_token:
                headers["Authorization"] = f"DPoP {access_token}"
            reply = self.http.post(url, headers=headers, **content)
            if "DPoP-Nonce" in reply.headers:
                self.nonces[url] = reply.headers["DPoP-Nonce"]
            if attempt == 2 or "use_dpop_nonce" not in reply.text + reply.headers.get("WWW-Authenticate", ""):
                break
        return self._answer(reply)

    def proof(self, method: str, url: str, access_token: str | None) -> str:
        claims = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(self.clock())}
        if url in self.nonces:
            claims["nonce"] = self.nonces[url]
        claims |= {"ath": sha256(access_token)} if access_token else {}
        return jwt.encode(claims, self.key, "ES256", headers={"typ": "dpop+jwt", "jwk": public_jwk(self.key)})

    @staticmethod
    def _answer(reply: httpx2.Response) -> Any:
        body = reply.json() if reply.headers.get("Content-Type", "").startswith("application/json") else {}
        if reply.status_code != 200:
            raise Refused(body.get("error", "http"), body.get("error_description", ""), reply.status_code)
        return body


def read_offer(uri: str, http: httpx2.Client) -> dict[str, Any]:
    """Resolve what the QR code says: the offer by reference or by value."""
    asked = parse_qs(urlsplit(uri).query)
    if "credential_offer" in asked:
        return dict(json.loads(asked["credential_offer"][0]))
    return dict(Caller(http).get(asked["credential_offer_uri"][0]))


def receive(uri: str, tx_code: str | None = None, *, http: httpx2.Client, clock: Clock = time.time) -> Held:
    """Take up an offer and return the verified credential; raises `Refused`."""
    offer, caller = read_offer(uri, http), Caller(http, clock)
    issuer = offer["credential_issuer"]
    issuing = caller.get(well_known(issuer, "openid-credential-issuer"))
    server = issuing.get("authorization_servers", [issuer])[0]
    token = redeem(caller, caller.get(well_known(server, "oauth-authorization-server")), offer, tx_code)
    return collect(caller, issuing, offer["credential_configuration_ids"][0], token)


def redeem(caller: Caller, server: dict[str, Any], offer: dict[str, Any], tx_code: str | None) -> dict[str, Any]:
    """Exchange the pre-authorized code, with the transaction code, for an access token."""
    grant = offer["grants"][PRE_AUTHORIZED]
    form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": grant["pre-authorized_code"]}
    form |= {} if tx_code is None else {"tx_code": tx_code}
    return dict(caller.post(server["token_endpoint"], data=form))


def collect(caller: Caller, issuing: dict[str, Any], configuration: str, token: dict[str, Any]) -> Held:
    """Ask for the credential with a proof of a fresh key, verify it, and return it with that key."""
    issuer, key = issuing["credential_issuer"], ec.generate_private_key(ec.SECP256R1())
    nonce = caller.post(issuing["nonce_endpoint"], proven=False)["c_nonce"]
    proofs = {"jwt": [key_proof(key, issuer, nonce, caller.clock)]}
    body = {"credential_configuration_id": configuration, "proofs": proofs}
    answer = caller.post(issuing["credential_endpoint"], access_token=token["access_token"], json=body)
    held = Held(answer["credentials"][0]["credential"], key)
    claims = verify(held.credential, caller.http, caller.clock)
    declared = issuing["credential_configurations_supported"][configuration]
    if claims["iss"] != issuer or claims["vct"] != declared["vct"] or claims["cnf"] != {"jwk": public_jwk(key)}:
        raise Refused("not_what_was_asked", "issuer, type or key of the credential differ")
    return held


def key_proof(key: ec.EllipticCurvePrivateKey, issuer: str, nonce: str, clock: Clock = time.time) -> str:
    claims = {"aud": issuer, "iat": int(clock()), "nonce": nonce}
    return jwt.encode(claims, key, "ES256", headers={"typ": "openid4vci-proof+jwt", "jwk": public_jwk(key)})


def verify(credential: str, http: httpx2.Client, clock: Clock = time.time) -> dict[str, Any]:
    """Check the issuer's signature, the time and every disclosure; return all claims."""
    token, *disclosures, _ = credential.split("~")
    header = jwt.get_unverified_header(token)
    if header.get("typ") != FORMAT:
        raise Refused("wrong_type", "not an SD-JWT VC")
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    document = Caller(http).get(well_known(issuer, "jwt-vc-issuer"))
    if document["issuer"] != issuer:
        raise Refused("wrong_issuer", "the key document is another issuer's")
    keys = [one for one in document["jwks"]["keys"] if one.get("kid") == header.get("kid")]
    if len(keys) != 1:
        raise Refused("unknown_key", "the issuer does not publish this key")
    timeless: jwt.types.Options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}  # our clock decides
    try:
        payload = jwt.decode(token, jwt.PyJWK(keys[0]).key, ["ES256"], options={"require": REQUIRED, **timeless})
    except jwt.PyJWTError as problem:
        raise Refused("not_verified", type(problem).__name__) from problem
    starts, ends = max(payload.get("nbf", 0), payload.get("iat", 0)), payload["exp"]  # RFC 7519 §4.1.4 to §4.1.6
    if not starts <= clock() < ends:
        raise Refused("not_verified", "expired or not yet valid")
    return reveal(payload, disclosures)


def reveal(payload: dict[str, Any], disclosures: Iterable[str]) -> dict[str, Any]:
    """Put disclosed claims in the place of their digests; a disclosure that belongs nowhere is refused."""
    left = {sha256(one): json.loads(unb64(one)) for one in disclosures}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            shown = {name: walk(inner) for name, inner in value.items() if name not in ("_sd", "_sd_alg")}
            for digest in value.get("_sd", []):
                if digest in left:
                    _salt, name, inner = left.pop(digest)
                    shown[name] = walk(inner)
            return shown
        if isinstance(value, list):
            entries = [
                left.pop(one["..."], [None])[-1] if _hidden(one) and one["..."] in left else one for one in value
            ]
            return [walk(one) for one in entries if not _hidden(one)]
        return value

    claims: dict[str, Any] = walk(payload)
    if left:
        raise Refused("foreign_disclosure", "a disclosure belongs to nothing in the credential")
    return claims


def _hidden(entry: Any) -> bool:
    return isinstance(entry, dict) and set(entry) == {"..."}


def paths(credential: str) -> dict[str, list[str]]:
    """Every claim that can be disclosed, by its dotted path, with the disclosures it takes: its parents' first."""
    token, *rest = credential.split("~")
    known = {sha256(one): one for one in rest}
    found: dict[str, list[str]] = {}

    def walk(value: Any, at: str, needed: list[str]) -> None:
        if not isinstance(value, dict):
            return
        for digest in value.get("_sd", []):
            if digest in known:
                _salt, name, inner = json.loads(unb64(known[digest]))
                found[f"{at}{name}"] = [*needed, known[digest]]
                walk(inner, f"{at}{name}.", found[f"{at}{name}"])

    walk(jwt.decode(token, options={"verify_signature": False}), "", [])
    return found


def present(held: Held, disclose: Iterable[str], *, audience: str, nonce: str, clock: Clock = time.time) -> str:
    """Build a presentation with key binding that shows the chosen claims (`address.locality`) and nothing more.

    A claim with parts shows its parts only when they are named as well.
    """
    known, wanted = paths(held.credential), list(disclose)
    if not set(wanted) <= set(known):
        raise Refused("unknown_claim", ", ".join(sorted(set(wanted) - set(known))))
    chosen = dict.fromkeys(one for path in wanted for one in known[path])
    shown = "~".join([held.credential.split("~")[0], *chosen, ""])
    claims = {"aud": audience, "nonce": nonce, "iat": int(clock()), "sd_hash": sha256(shown)}
    return shown + jwt.encode(claims, held.key, "ES256", headers={"typ": "kb+jwt"})


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A small wallet: receive, show, present.")
    parser.add_argument("--file", type=Path, default=Path("wallet.json"), help="where the credential is kept")
    commands = parser.add_subparsers(dest="command", required=True)
    taking = commands.add_parser("receive", help="take up an offer")
    taking.add_argument("offer", help="what the QR code says")
    taking.add_argument("--tx-code", help="the six digits from the account page")
    commands.add_parser("show", help="print what is in it")
    showing = commands.add_parser("present", help="print a presentation")
    showing.add_argument("--audience", required=True)
    showing.add_argument("--nonce", required=True)
    showing.add_argument("--disclose", action="append", default=[], metavar="CLAIM")
    given = parser.parse_args(arguments)
    try:
        if given.command == "receive":
            with httpx2.Client(timeout=30) as http:
                receive(given.offer, given.tx_code, http=http).save(given.file)
            print(f"kept in {given.file}: {', '.join(paths(Held.load(given.file).credential))}")
        elif given.command == "show":
            token, *shown, _ = Held.load(given.file).credential.split("~")
            claims = reveal(jwt.decode(token, options={"verify_signature": False}), shown)
            print(json.dumps(claims, indent=2, ensure_ascii=False))
        else:
            print(present(Held.load(given.file), given.disclose, audience=given.audience, nonce=given.nonce))
    except (Refused, FileNotFoundError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
