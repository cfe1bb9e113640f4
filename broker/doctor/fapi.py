"""FAPI 2.0, Security Profile and Message Signing: each group of its demands, judged by what is announced, set and registered."""

from __future__ import annotations

from broker.clients import profile
from broker.clients.profile import STRONG
from broker.doctor.facts import Facts, Verdict
from broker.doctor.oauth import PROXY, SHORT_CODE

PUSHED = 600  # seconds (§5.3.2.2)
RSA_BYTES = 256  # a modulus of 2048 bits (§5.4.1)


def profiles(facts: Facts) -> Verdict:
    """Every client keeps to what it registered as, in this mode."""
    if facts.clients.problem is not None:
        return Verdict("fail", f"the clients cannot be read: {facts.clients.problem}", "correct the file it names")
    for mode in (facts.configured.mode, "production"):
        wrong = [(c, rules) for c in facts.clients.all if not c.disabled and (rules := profile.broken(c, mode))]
        if wrong:
            client, rules = wrong[0]
            says = f"{client.client_id}: {profile.told(rules)}" + (f" (and {len(wrong) - 1} more)" if wrong[1:] else "")
            fix = "let the client register anew; `semel clients lint` lists everything"
            return Verdict("fail" if mode == facts.configured.mode else "warn", says, fix)
    return Verdict("pass", f"{len(facts.clients.all)} clients keep to theirs")


def general(facts: Facts) -> Verdict:
    """§5.3.2.1: keys instead of secrets, bound tokens, short codes."""
    methods = set(facts.metadata.get("token_endpoint_auth_methods_supported", []))
    if not methods & {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}:
        return Verdict("fail", "the metadata offers no authentication by key", PROXY)
    if facts.configured.code > SHORT_CODE:
        return Verdict(
            "fail", f"codes live {facts.configured.code} s, 60 are allowed", "set SEMEL_CODE_SECONDS to 60, the default"
        )
    return Verdict("pass", f"authentication by key, codes of {facts.configured.code} s")


def pushed_requests(facts: Facts) -> Verdict:
    """§5.3.2.2: requests come through the back channel and do not wait long."""
    if "pushed_authorization_request_endpoint" not in facts.metadata:
        return Verdict("fail", "the metadata names no endpoint to push requests to", PROXY)
    if facts.configured.pushed_request >= PUSHED:
        return Verdict("fail", f"requests wait {facts.configured.pushed_request} s", "set SEMEL_PUSHED_REQUEST_SECONDS to 60")  # fmt: skip
    return Verdict("pass", f"pushed, and opened within {facts.configured.pushed_request} s")


def algorithms(facts: Facts) -> Verdict:
    """§5.4: PS256, ES256 or EdDSA for these clients, keys of sufficient length, none twice under one id."""
    offered = set(facts.metadata.get("id_token_signing_alg_values_supported", []))
    if not offered & STRONG:
        return Verdict("fail", "the metadata offers no algorithm these clients may use", PROXY)
    for client in facts.clients.all:
        keys = list((client.jwks or {}).get("keys", []))
        short = [key for key in keys if key.get("kty") == "RSA" and len(str(key.get("n", ""))) * 3 // 4 < RSA_BYTES]
        kids = [key.get("kid") for key in keys]
        if short or len(set(kids)) != len(kids):
            says = "an RSA key shorter than 2048 bits" if short else "two keys under one id"
            return Verdict("fail", f"{client.client_id} registered {says}", "let it register a new key: P-256 is best")
    return Verdict("pass", "PS256, ES256, EdDSA; keys long enough, each under its own id")


def signed_requests(facts: Facts) -> Verdict:
    """Message Signing §5.3: requests may be signed, and must be where a client registered so."""
    algs = set(facts.metadata.get("request_object_signing_alg_values_supported", []))
    if not algs >= {"ES256", "PS256"} or "none" in algs:
        return Verdict("fail", "the metadata does not offer signed requests with ES256 and PS256", PROXY)
    must = sum(client.require_signed_request_object for client in facts.clients.all)
    return Verdict("pass", f"offered to all, demanded of {must} clients")


def signed_responses(facts: Facts) -> Verdict:
    """Message Signing §5.4: answers may be signed (JARM)."""
    algs = set(facts.metadata.get("authorization_signing_alg_values_supported", []))
    modes = set(facts.metadata.get("response_modes_supported", []))
    if not algs & STRONG or "none" in algs or not any(mode.endswith("jwt") for mode in modes):
        return Verdict("fail", "the metadata does not offer signed answers", PROXY)
    return Verdict("pass", "offered to clients that registered the algorithm")


def signed_introspection(facts: Facts) -> Verdict:
    """Message Signing §5.5: what is said of a token may be signed."""
    algs = set(facts.metadata.get("introspection_signing_alg_values_supported", []))
    if not algs & STRONG or "none" in algs:
        return Verdict("fail", "the metadata does not offer signed introspection", PROXY)
    return Verdict("pass", "offered to whoever asks for it")
