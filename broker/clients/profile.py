"""What a client's profile demands of it, in one table (OpenID Connect Registration §2, FAPI 2.0 §5.3.2, HAIP 1.0 §4.4.1).

A client is pinned to one profile. The rules are evaluated when the operator's files are read, when a client registers, and
whenever a registered client acts: what an installation's mode no longer allows stops at once, not at the next registration.
Read the table down for what is asked, across for whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from broker.clients.metadata import ClientMetadata

Profile = Literal["baseline", "fapi2", "haip"]
Mode = str  # demo, sandbox, production

ATTESTED = "attest_jwt_client_auth"
CERTIFIED = frozenset({"tls_client_auth", "self_signed_tls_client_auth"})
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"  # RFC 8628 §3.4
CIBA = "urn:openid:params:grant-type:ciba"  # CIBA Core §4
SECRETS = frozenset({"client_secret_basic", "client_secret_post"})
STRONG = frozenset({"ES256", "PS256", "EdDSA", "Ed25519"})
SIGN_IN_ONLY = frozenset({"openid", "offline_access"})  # scope words that release nothing but `sub`
SIGNALS = ("ssf.manage", "ssf.read")  # scope words for hearing of what happened to one's own permissions

#: What RFC 7591 §2 leaves open, by profile; the specification's own defaults are those of `baseline`.
DEFAULTS: dict[str, dict[str, Any]] = {
    "baseline": {
        "token_endpoint_auth_method": "client_secret_basic",
        "token_endpoint_auth_signing_alg": "RS256",
        "id_token_signed_response_alg": "RS256",
        "require_pushed_authorization_requests": False,
        "dpop_bound_access_tokens": False,
    },
    "fapi2": {},
    "haip": {"token_endpoint_auth_method": ATTESTED},
}

Kept = Callable[["ClientMetadata"], bool]


@dataclass(frozen=True)
class Rule:
    """One demand: which profiles it binds, in which modes it may be broken, the member a refusal names."""

    demand: str
    spec: str
    member: str
    profiles: frozenset[str]
    lenient: frozenset[str]
    kept: Kept


def _by_secret(client: ClientMetadata) -> bool:
    return client.token_endpoint_auth_method in SECRETS


def _no_secret(client: ClientMetadata) -> bool:
    return not _by_secret(client)


def _asserts_strongly(client: ClientMetadata) -> bool:
    return client.token_endpoint_auth_signing_alg in STRONG


def _id_token_strong(client: ClientMetadata) -> bool:
    return client.id_token_signed_response_alg in STRONG


def _userinfo_strong(client: ClientMetadata) -> bool:
    return client.userinfo_signed_response_alg in {None, *STRONG}


ANSWERS = ("id_token", "userinfo", "authorization", "introspection")


def _encryption_whole(client: ClientMetadata) -> bool:
    pairs = [client.encryption(answer) for answer in ANSWERS]
    pairs.append((client.request_object_encryption_alg, client.request_object_encryption_enc))
    return all((alg is None) == (enc is None) for alg, enc in pairs)


def _keys_to_encrypt_to(client: ClientMetadata) -> bool:
    encrypts = any(client.encryption(answer)[0] is not None for answer in ANSWERS)
    return not encrypts or client.jwks is not None or client.jwks_uri is not None


def _requests_strong(client: ClientMetadata) -> bool:
    return client.request_object_signing_alg in {None, *STRONG}


def _responses_strong(client: ClientMetadata) -> bool:
    return client.authorization_signed_response_alg in {None, *STRONG}


def _asks_by_value(client: ClientMetadata) -> bool:
    return not client.request_uris


def _pushes(client: ClientMetadata) -> bool:
    return client.require_pushed_authorization_requests


def _binds(client: ClientMetadata) -> bool:
    return client.dpop_bound_access_tokens or client.tls_client_certificate_bound_access_tokens


def _confidential(client: ClientMetadata) -> bool:
    return client.authenticates


def _attested(client: ClientMetadata) -> bool:
    return client.token_endpoint_auth_method == ATTESTED


def _not_attested(client: ClientMetadata) -> bool:
    return not _attested(client)


def _secret_with_its_method(client: ClientMetadata) -> bool:
    return (client.client_secret_hash is not None) == _by_secret(client)


def _keys_to_be_known_by(client: ClientMetadata) -> bool:
    if client.token_endpoint_auth_method not in {"private_key_jwt", "self_signed_tls_client_auth", ATTESTED}:
        return True
    return client.jwks is not None or client.jwks_uri is not None


def _one_name(client: ClientMetadata) -> bool:
    return client.token_endpoint_auth_method != "tls_client_auth" or len(client.certificate_names) == 1  # noqa: S105 - a method's name


def _nothing_alone_when_public(client: ClientMetadata) -> bool:
    return _confidential(client) or not client.may_use("client_credentials")


def _proves_itself_behind(client: ClientMetadata) -> bool:
    return _confidential(client) or not client.may_use(CIBA)


def _says_how_it_is_told(client: ClientMetadata) -> bool:
    return client.backchannel_token_delivery_mode is not None or not client.may_use(CIBA)


def _can_be_pinged(client: ClientMetadata) -> bool:
    mode, told = client.backchannel_token_delivery_mode, client.backchannel_client_notification_endpoint
    return mode != "ping" or told is not None


def _is_pinged_over_tls(client: ClientMetadata) -> bool:
    return (client.backchannel_client_notification_endpoint or "https:").startswith("https:")


def _signs_behind(client: ClientMetadata) -> bool:
    return client.backchannel_authentication_request_signing_alg is not None or not client.may_use(CIBA)


def _signs_behind_strongly(client: ClientMetadata) -> bool:
    return client.backchannel_authentication_request_signing_alg in {None, *STRONG}


def _pairwise(client: ClientMetadata) -> bool:
    return client.subject_type == "pairwise"


def _web_over_tls(client: ClientMetadata) -> bool:
    return client.application_type != "web" or all(urlsplit(uri).scheme == "https" for uri in client.redirect_uris)


def _signs_in_only(client: ClientMetadata) -> bool:
    return set(client.scope.split()) <= SIGN_IN_ONLY.union(SIGNALS)


B, F, H = "baseline", "fapi2", "haip"
EVERY, FAPI, STRICT = frozenset({B, F, H}), frozenset({F, H}), frozenset[str]()
TRYING = frozenset({"demo", "sandbox"})


def _for(*profiles: str) -> frozenset[str]:
    return frozenset(profiles)


# fmt: off
RULES: tuple[Rule, ...] = (
    #    demand                                             spec                        member                                    whom       may break  kept
    Rule("a shared secret is too weak for this profile",    "FAPI 2.0 §5.3.2.1",        "token_endpoint_auth_method",             FAPI,      STRICT, _no_secret),
    Rule("the client must prove who it is",                 "FAPI 2.0 §5.3.2.1",        "token_endpoint_auth_method",             FAPI,      STRICT, _confidential),
    Rule("assertions are signed with ES256, PS256 or EdDSA", "FAPI 2.0 §5.4.1",         "token_endpoint_auth_signing_alg",        FAPI,      STRICT, _asserts_strongly),
    Rule("ID tokens are signed with ES256, PS256 or EdDSA", "FAPI 2.0 §5.4.1",          "id_token_signed_response_alg",           FAPI,      STRICT, _id_token_strong),
    Rule("UserInfo is signed with ES256, PS256 or EdDSA",   "FAPI 2.0 §5.4.1",          "userinfo_signed_response_alg",           FAPI,      STRICT, _userinfo_strong),
    Rule("requests are signed with ES256, PS256 or EdDSA",  "FAPI 2.0 §5.4.1",          "request_object_signing_alg",             FAPI,      STRICT, _requests_strong),
    Rule("responses are signed with ES256, PS256 or EdDSA", "FAPI 2.0 §5.4.1",          "authorization_signed_response_alg",      FAPI,      STRICT, _responses_strong),
    Rule("no request is fetched from the client",           "FAPI 2.0 §5.3.2.2",        "request_uris",                           FAPI,      STRICT, _asks_by_value),
    Rule("requests are pushed",                             "FAPI 2.0 §5.3.2.2",        "require_pushed_authorization_requests",  FAPI,      STRICT, _pushes),
    Rule("access tokens are bound to a key",                "FAPI 2.0 §5.3.2.1",        "dpop_bound_access_tokens",               FAPI,      STRICT, _binds),
    Rule("a wallet is attested by its maker",               "HAIP 1.0 §4.4.1",          "token_endpoint_auth_method",             _for(H),   STRICT, _attested),
    Rule("attestations are for wallets",                    "HAIP 1.0 §4.4.1",          "token_endpoint_auth_method",             _for(B, F), STRICT, _not_attested),
    Rule("a secret comes with its method and no other",     "RFC 7591 §2",              "client_secret_hash",                     EVERY,     STRICT, _secret_with_its_method),
    Rule("this method needs jwks or jwks_uri",              "RFC 7591 §2",              "jwks",                                   EVERY,     STRICT, _keys_to_be_known_by),
    Rule("the certificate is known by exactly one name",    "RFC 8705 §2.1.2",          "tls_client_auth_subject_dn",             EVERY,     STRICT, _one_name),
    Rule("encryption names its key's algorithm and its content's", "OpenID Connect Registration §2", "jwks",              EVERY,     STRICT, _encryption_whole),
    Rule("what is encrypted needs jwks or jwks_uri",        "OpenID Connect Registration §2", "jwks",                             EVERY,     STRICT, _keys_to_encrypt_to),
    Rule("a public client gets no token for itself",        "RFC 6749 §4.4",            "grant_types",                            EVERY,     STRICT, _nothing_alone_when_public),
    Rule("a public client asks nobody behind the front",    "CIBA Core §4",             "grant_types",                            EVERY,     STRICT, _proves_itself_behind),
    Rule("the client polls, or is told to (poll, ping)",    "CIBA Core §4",             "backchannel_token_delivery_mode",        EVERY,     STRICT, _says_how_it_is_told),
    Rule("pings need an address of the client",             "CIBA Core §4",             "backchannel_client_notification_endpoint", EVERY,   STRICT, _can_be_pinged),
    Rule("pings go over https",                             "CIBA Core §4",             "backchannel_client_notification_endpoint", EVERY,   TRYING, _is_pinged_over_tls),
    Rule("requests behind the front are signed",            "FAPI-CIBA §5.2.2",         "backchannel_authentication_request_signing_alg", FAPI, STRICT, _signs_behind),
    Rule("requests are signed with ES256, PS256 or EdDSA",  "FAPI 2.0 §5.4.1",          "backchannel_authentication_request_signing_alg", FAPI, STRICT, _signs_behind_strongly),
    Rule("a web application is sent back over https",       "OpenID Connect Registration §2", "redirect_uris",                    EVERY,     TRYING, _web_over_tls),
    Rule("subject identifiers are pairwise",                "OpenID Connect Core §8.1", "subject_type",                           FAPI,      STRICT, _pairwise),
    Rule("subject identifiers are pairwise",                "OpenID Connect Core §8.1", "subject_type",                           EVERY,     TRYING, _pairwise),
    Rule("data beyond the sign-in needs the profile fapi2", "house",                    "scope",                                  _for(B),   TRYING, _signs_in_only),
)
# fmt: on


def broken(client: ClientMetadata, mode: Mode) -> tuple[Rule, ...]:
    """Return the rules that a client breaks in an installation of this mode, in the table's order."""
    return tuple(
        rule for rule in RULES if client.profile in rule.profiles and mode not in rule.lenient and not rule.kept(client)
    )


def may_ask_for_data(client: ClientMetadata, mode: Mode) -> bool:
    """Say whether a client may ask for more than `sub` here: the last rule, for a request whatever its scope is."""
    return may_have_data(client.profile, mode)


def may_have_data(profile: str, mode: Mode) -> bool:
    """Say whether clients of a profile may ask for more than `sub` here."""
    return profile != B or mode in TRYING


def may_leave_out_pkce(client: ClientMetadata) -> bool:
    """Say whether a plain request may come without a challenge: from a `baseline` client that proves who it is (RFC 9700 §2.1.1)."""
    return client.profile == B and _confidential(client)


def told(rules: Iterable[Rule]) -> str:
    """Say in one line what is demanded and by which text."""
    return "; ".join(f"{rule.member}: {rule.demand} ({rule.spec})" for rule in rules)
