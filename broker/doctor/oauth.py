"""OAuth as RFC 9700 (BCP 240) wants it: each group of its demands, judged by what is announced, set and registered."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from broker.clients.metadata import ClientMetadata
from broker.doctor.facts import Facts, Verdict, unseen

SHORT_TOKEN = 600  # seconds: an access token that lives longer outlives what it was given for
SHORT_CODE = 60  # seconds (FAPI 2.0 §5.3.2.1)
PROXY = "let nothing between this program and the world change what it serves; start a server of this version"
UNREAD = unseen("the clients were", "see the line `declarations` first")
SYMMETRIC = frozenset({"none", "HS256", "HS384", "HS512"})


def redirects(facts: Facts) -> Verdict:
    """§2.1, §4.1: answers go to exactly registered addresses, and over TLS."""
    if facts.clients.problem is not None:
        return UNREAD
    for client in _acting(facts):
        local = [uri for uri in client.redirect_uris if urlsplit(uri).scheme == "http"]
        if local and client.application_type == "web" and facts.production:
            return _client(facts, client, f"is a web application sent back without TLS ({local[0]})", "register an https address")  # fmt: skip
    return Verdict("pass", "only exactly registered addresses are redirected to")


def proof_key(facts: Facts) -> Verdict:
    """§2.1.1, §4.8: PKCE with S256 and nothing weaker."""
    methods = facts.metadata.get("code_challenge_methods_supported")
    if methods != ["S256"]:
        return Verdict("fail", f"the metadata offers PKCE methods {methods}", PROXY)
    return Verdict("pass", "PKCE with S256 for every client")


def response_types(facts: Facts) -> Verdict:
    """§2.1.2, §2.4: no tokens in the front channel, nobody's password for an agency."""
    given = facts.metadata.get("response_types_supported"), facts.metadata.get("grant_types_supported", [])
    if given[0] != ["code"] or {"implicit", "password"} & set(given[1]):
        return Verdict("fail", "the metadata offers the implicit or the password grant", PROXY)
    return Verdict("pass", "codes only; no implicit grant, no password grant")


def mix_up(facts: Facts) -> Verdict:
    """§4.4: every answer names who gives it."""
    if facts.metadata.get("authorization_response_iss_parameter_supported") is not True:
        return Verdict("fail", "the metadata does not say that answers carry `iss`", PROXY)
    return Verdict("pass", "every answer names its issuer")


def bound_tokens(facts: Facts) -> Verdict:
    """§2.2.1: a stolen access token opens nothing."""
    algs = facts.metadata.get("dpop_signing_alg_values_supported", [])
    if not algs or SYMMETRIC & set(algs):
        return Verdict("fail", "the metadata does not offer DPoP with signatures", PROXY)
    if facts.clients.problem is not None:
        return UNREAD
    loose = [c for c in _acting(facts) if not _binds(c) and set(c.scope.split()) - {"openid", "offline_access"}]
    if loose:
        return _client(
            facts, loose[0], "gets data with tokens bound to no key", "register it as fapi2, with DPoP or mTLS"
        )
    return Verdict("pass", "tokens that open data are bound to a key")


def refresh_tokens(facts: Facts) -> Verdict:
    """§2.2.2, §4.14: refresh tokens are bound to a client that can prove itself, or change with each use."""
    if facts.clients.problem is not None:
        return UNREAD
    holders = [c for c in _acting(facts) if "refresh_token" in c.grant_types]
    rotated = sum(c.token_endpoint_auth_method == "none" for c in holders)  # noqa: S105 - a method's name
    return Verdict("pass", f"{len(holders)} clients hold them; for the {rotated} public ones they change with each use")


def token_life(facts: Facts) -> Verdict:
    """§2.3: what a token allows is little, for one server, and soon over."""
    seconds = facts.configured.token
    if seconds > SHORT_TOKEN:
        return Verdict("warn", f"access tokens live {seconds} s", "set SEMEL_TOKEN_SECONDS to 300, the default")
    return Verdict("pass", f"one audience a token, {seconds} s")


def client_authentication(facts: Facts) -> Verdict:
    """§2.5: clients prove themselves with keys."""
    algs = facts.metadata.get("token_endpoint_auth_signing_alg_values_supported", [])
    if SYMMETRIC & set(algs):
        return Verdict("fail", "the metadata offers assertions that anyone with the secret can make", PROXY)
    if facts.clients.problem is not None:
        return UNREAD
    secrets = [c for c in _acting(facts) if c.token_endpoint_auth_method.startswith("client_secret")]
    if secrets and facts.production:
        return Verdict(
            "warn",
            f"{len(secrets)} clients share a secret with us, {secrets[0].client_id} for one",
            "let them register private_key_jwt: what is never sent cannot be stolen on the way",
        )
    return Verdict("pass", f"{len(_acting(facts)) - len(secrets)} with keys, {len(secrets)} with secrets or none")


def transport(facts: Facts) -> Verdict:
    """§2.6: every endpoint that is announced is https, and this installation's own."""
    issuer, metadata = facts.configured.issuer, facts.metadata
    named = {name: value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))}
    strange = [name for name, value in named.items() if not _own(str(value), issuer)]
    if strange:
        return Verdict("fail", f"the metadata leads elsewhere: {', '.join(strange)}", PROXY)
    if metadata != facts.computed:
        return Verdict(
            "warn",
            "the metadata that is served is not what this program would serve",
            "restart every server after a change of version or declarations; let caches keep it no longer than it says",
        )
    return Verdict("pass", "every announced endpoint is this installation's")


def _own(value: str, issuer: str) -> bool:
    return value.startswith(issuer + "/")


def _binds(client: ClientMetadata) -> bool:
    return client.dpop_bound_access_tokens or client.tls_client_certificate_bound_access_tokens


def _acting(facts: Facts) -> Sequence[ClientMetadata]:
    return [client for client in facts.clients.all if not client.disabled]


def _client(facts: Facts, client: ClientMetadata, finding: str, fix: str) -> Verdict:
    return Verdict("fail" if facts.production else "warn", f"{client.client_id} {finding}", fix)
