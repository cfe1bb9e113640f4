"""Encrypted tokens: to a client's key, and from a client to ours; always around a signature or an answer of ours (RFC 7516, RFC 7519 §5.2).

Plan of `decrypt`, every step before the next:

1. The size is bounded; five parts of strict base64url; a header of JSON without repeated members.
2. `alg` and `enc` are ours (never a shared secret, a password, or RSA with PKCS #1 v1.5), no `zip`, no `crit`, `cty` says JWT.
3. The key is one of ours, by `kid` where there is one; an ephemeral key is a point on our own curve.
4. The content is decrypted; whatever went wrong until here is told as one thing.
5. Inside is a signed token, not another envelope: what it says is for `keys.jws.verify` to find out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from joserfc import jwe as jose
from joserfc.errors import JoseError

from keys import base64url, canonical, jwk
from keys.errors import InvalidKey, InvalidToken, Malformed

#: How the content's key travels: algorithm to the type of key it needs (RFC 7518 §4.1).
ALGS: Mapping[str, str] = {"RSA-OAEP-256": "RSA", "ECDH-ES": "EC", "ECDH-ES+A128KW": "EC", "ECDH-ES+A256KW": "EC"}
#: How the content is encrypted (RFC 7518 §5.1).
ENCS = ("A128GCM", "A256GCM")
MAX_SIZE = 64 * 1024  # characters of a token that comes in: as long as a request may be
MAX_HEADER = 2048  # characters
MAX_PLAIN = (
    256 * 1024
)  # bytes of what goes out: it holds what a client sent, as it must be written in JSON and base64url
#: Every member that a header may have; an unknown one is refused.
HEADER = frozenset({"alg", "enc", "kid", "typ", "cty", "epk", "apu", "apv"})
_POINT = {"kty", "crv", "x", "y"}
_IV, _TAG = 12, 16  # bytes (RFC 7518 §5.3)


@dataclass(frozen=True)
class Recipient:
    """To whom something is encrypted, and how: a public JWK that `keys.jwk` let through."""

    alg: str
    enc: str
    key: Mapping[str, Any]


@dataclass(frozen=True)
class DecryptionKey:
    """A private key of ours as the reader of envelopes sees it: its id, its type, and the key itself."""

    kid: str
    kty: str
    key: Any = field(repr=False)  # joserfc's


class _Registry(jose.JWERegistry):
    """Bounds of ours in place of the library's: an encrypted answer holds a signed one."""

    max_protected_header_length = MAX_HEADER
    max_ciphertext_length = 2 * MAX_PLAIN


def encrypt(to: Recipient, content: str, *, nested: bool = True, typ: str | None = None) -> str:
    """Return `content` encrypted to a recipient; `nested`: it is a signed token (`cty` JWT, RFC 7519 §5.2).

    Raises `InvalidKey` for a key that does not fit the algorithm, `Malformed` for content that is too long.
    """
    if (
        to.alg not in ALGS
        or to.enc not in ENCS
        or to.key.get("kty") != ALGS[to.alg]
        or to.key.get("crv", "P-256") != "P-256"
    ):
        raise InvalidKey("this key does not encrypt that way")
    if len(content) > MAX_PLAIN:
        raise Malformed("too long to be encrypted")
    header = {"alg": to.alg, "enc": to.enc}
    header |= {"kid": to.key["kid"]} if "kid" in to.key else {}
    header |= {"cty": "JWT"} if nested else {}
    header |= {"typ": typ} if typ is not None else {}
    try:
        return jose.encrypt_compact(
            header, content, jwk.imported(to.key), registry=_Registry(algorithms=[to.alg, to.enc])
        )
    except (JoseError, ValueError) as problem:
        raise InvalidKey("this key does not encrypt that way") from problem


def is_encrypted(token: str) -> bool:
    """Say whether a token has the five parts of an encrypted one."""
    return token.count(".") == 4


def decrypt(
    token: str, keys: Sequence[DecryptionKey], *, algs: Collection[str] = (), encs: Collection[str] = ()
) -> str:
    """Return the signed token inside an encrypted one; `algs` and `encs`, where given, narrow what is accepted.

    Raises `InvalidToken`: `too_large malformed algorithm critical content_type unknown_key encryption nested`.
    """
    if len(token) > MAX_SIZE:
        raise InvalidToken("too_large")
    header, wrapped, iv, tag = _parts(token)
    _check(header, algs, encs)
    if len(iv) != _IV or len(tag) != _TAG or (header["alg"] == "ECDH-ES") is not (wrapped == b""):
        raise InvalidToken("malformed")
    inner = _opened(token, header, _candidates(header, keys))
    if is_encrypted(inner) or inner.count(".") != 2:
        raise InvalidToken("nested")
    return inner


def _parts(token: str) -> tuple[Mapping[str, Any], bytes, bytes, bytes]:
    parts = token.split(".", 5)
    if len(parts) != 5:
        raise InvalidToken("malformed")
    if len(parts[0]) > MAX_HEADER:
        raise InvalidToken("too_large")
    try:
        head, wrapped, iv, _, tag = (base64url.decode(part) for part in parts)
        header = canonical.loads(head)
    except Malformed as problem:
        raise InvalidToken("malformed") from problem
    if not isinstance(header, dict):
        raise InvalidToken("malformed")
    return header, wrapped, iv, tag


def _check(header: Mapping[str, Any], algs: Collection[str], encs: Collection[str]) -> None:
    alg, enc = header.get("alg"), header.get("enc")
    if not isinstance(alg, str) or alg not in ALGS or (algs and alg not in algs):
        raise InvalidToken("algorithm")
    if not isinstance(enc, str) or enc not in ENCS or (encs and enc not in encs):
        raise InvalidToken("algorithm")
    if not header.keys() <= HEADER or any(not isinstance(header.get(n, ""), str) for n in HEADER - {"epk"}):
        raise InvalidToken("critical")
    if header.get("cty", "").lower() != "jwt":
        raise InvalidToken("content_type")


def _candidates(header: Mapping[str, Any], keys: Sequence[DecryptionKey]) -> list[DecryptionKey]:
    kid, kty = header.get("kid"), ALGS[header["alg"]]
    found = [key for key in keys if key.kty == kty and kid in {None, key.kid}]
    if not found:
        raise InvalidToken("unknown_key")
    return found


def _opened(token: str, header: Mapping[str, Any], keys: Sequence[DecryptionKey]) -> str:
    """Try the keys; every failure is the same to whoever sent the token."""
    if ALGS[header["alg"]] == "EC":
        _check_point(header.get("epk"))
    registry = _Registry(algorithms=[header["alg"], header["enc"]])
    for key in keys:
        try:
            opened = jose.decrypt_compact(token, key.key, registry=registry).plaintext
        except (JoseError, InvalidTag, ValueError, AssertionError):
            continue
        if opened is not None and opened.isascii():
            return opened.decode("ascii")
    raise InvalidToken("encryption")


def _check_point(epk: object) -> None:
    """An ephemeral key is a public point of our curve, nothing else (RFC 7518 §4.6.1.1; invalid-curve attacks)."""
    if not isinstance(epk, dict) or not epk.keys() >= _POINT or jwk.PRIVATE & epk.keys():
        raise InvalidToken("encryption")
    try:
        jwk.imported({name: epk[name] for name in _POINT})
    except InvalidKey as problem:
        raise InvalidToken("encryption") from problem
    if (epk["kty"], epk["crv"]) != ("EC", "P-256"):
        raise InvalidToken("encryption")
