"""What each profile demands: every rule has a client that keeps it and one that breaks it (FAPI 2.0 §5.3.2, HAIP 1.0 §4.4.1)."""

from typing import Any

import pytest
from pydantic import ValidationError

from broker.clients import profile, secret
from broker.clients.metadata import PUBLIC_SECTOR, ClientMetadata
from tests.broker.relying import CALLBACK, Key, client

KEY = Key()
HASH = secret.kept("s")


def made(**members: Any) -> ClientMetadata:
    return client(KEY, **members)


def test_what_rfc_7591_leaves_open_follows_the_profile() -> None:
    plain = made(profile="baseline", jwks_uri="https://rp.example/jwks", client_secret_hash=HASH)
    assert plain.token_endpoint_auth_method == "client_secret_basic"
    assert plain.id_token_signed_response_alg == "RS256"
    assert (plain.require_pushed_authorization_requests, plain.dpop_bound_access_tokens) == (False, False)
    strict = made()
    assert strict.token_endpoint_auth_method == "private_key_jwt"
    assert (strict.require_pushed_authorization_requests, strict.dpop_bound_access_tokens) == (True, True)


B = {"profile": "baseline"}
KEYS = {**B, "token_endpoint_auth_method": "private_key_jwt"}
SECRET = {**B, "client_secret_hash": HASH}
PUBLIC = {**B, "token_endpoint_auth_method": "none"}
CIBA = {"grant_types": [profile.CIBA], "backchannel_token_delivery_mode": "poll"}
SIGNED = {**CIBA, "backchannel_authentication_request_signing_alg": "ES256"}
PING = {**SIGNED, "backchannel_token_delivery_mode": "ping"}
HERE = ["http://127.0.0.1:8001/cb"]
ANYWHERE, TRYING = {"demo", "sandbox", "production"}, {"demo", "sandbox"}

# fmt: off
ALLOWED: list[tuple[str, dict[str, Any], set[str]]] = [
    # what a client registers                                                                          the modes that allow it
    ("fapi2",                        {},                                                               ANYWHERE),
    ("fapi2 with a use",             {"scope": "openid use:town.permit"},                              ANYWHERE),
    ("fapi2 sent back over http",    {"redirect_uris": HERE},                                          TRYING),
    ("baseline by assertion",        KEYS,                                                             ANYWHERE),
    ("baseline, RS256 assertions",   {**KEYS, "token_endpoint_auth_signing_alg": "RS256"},             ANYWHERE),
    ("baseline by secret",           SECRET,                                                           ANYWHERE),
    ("baseline, public client",      PUBLIC,                                                           ANYWHERE),
    ("baseline asks for data",       {**SECRET, "scope": "openid email"},                              TRYING),
    ("baseline asks under a use",    {**SECRET, "scope": "openid use:x"},                              TRYING),
    ("one subject for all",          {**SECRET, "subject_type": "public"},                             TRYING),
    ("pinged over https",            {**PING, "backchannel_client_notification_endpoint": "https://rp.example/ping"}, ANYWHERE),
    ("pinged over http",             {**PING, "backchannel_client_notification_endpoint": "http://127.0.0.1:8001/ping"}, TRYING),
    ("native app over http",         {**PUBLIC, "application_type": "native", "redirect_uris": HERE},  ANYWHERE),
    ("haip",                         {"profile": "haip", "token_endpoint_auth_method": "attest_jwt_client_auth"}, ANYWHERE),
]
# fmt: on


@pytest.mark.parametrize(("members", "modes"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED])
def test_allowed(members: dict[str, Any], modes: set[str]) -> None:
    assert {mode for mode in ANYWHERE if not profile.broken(made(**members), mode)} == modes


# fmt: off
NEVER: list[tuple[str, dict[str, Any]]] = [
    ("FAPI 2.0 §5.3.2.1 secret",                {"token_endpoint_auth_method": "client_secret_basic", "client_secret_hash": HASH}),
    ("FAPI 2.0 §5.3.2.1 public client",         {"token_endpoint_auth_method": "none"}),
    ("FAPI 2.0 §5.4.1 RS256 assertions",        {"token_endpoint_auth_signing_alg": "RS256"}),
    ("FAPI 2.0 §5.4.1 RS256 ID tokens",         {"id_token_signed_response_alg": "RS256"}),
    ("FAPI 2.0 §5.4.1 RS256 UserInfo",          {"userinfo_signed_response_alg": "RS256"}),
    ("OIDC Registration §2 half an encryption", {"id_token_encrypted_response_alg": "ECDH-ES"}),
    ("OIDC Registration §2 the other half",     {"request_object_encryption_enc": "A128GCM"}),
    ("OIDC Registration §2 no key for it",      {**PUBLIC, "jwks": None, "userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A128GCM"}),
    ("FAPI 2.0 §5.4.1 RS256 requests",          {"request_object_signing_alg": "RS256"}),
    ("FAPI 2.0 §5.4.1 RS256 responses",         {"authorization_signed_response_alg": "RS256"}),
    ("FAPI 2.0 §5.3.2.2 requests fetched",      {"request_uris": ["https://rp.example/request"]}),
    ("FAPI 2.0 §5.3.2.2 plain requests",        {"require_pushed_authorization_requests": False}),
    ("FAPI 2.0 §5.3.2.1 bearer tokens",         {"dpop_bound_access_tokens": False}),
    ("CIBA Core §4 public client",              {**PUBLIC, **CIBA}),
    ("CIBA Core §4 no delivery mode",           {**SIGNED, "backchannel_token_delivery_mode": None}),
    ("CIBA Core §4 nowhere to ping",            PING),
    ("FAPI-CIBA §5.2.2 unsigned",               CIBA),
    ("FAPI-CIBA §5.2.2 RS256",                  {**CIBA, "backchannel_authentication_request_signing_alg": "RS256"}),
    ("OIDC Core §8.1 one subject for all",      {"subject_type": "public"}),
    ("HAIP 1.0 §4.4.1 unattested wallet",       {"profile": "haip", "token_endpoint_auth_method": "private_key_jwt"}),
    ("HAIP 1.0 §4.4.1 RS256",                   {"profile": "haip", "id_token_signed_response_alg": "RS256"}),
    ("HAIP 1.0 §4.4.1 attested agency",         {"profile": "baseline", "token_endpoint_auth_method": "attest_jwt_client_auth"}),
    ("RFC 7591 §2 secret method, no secret",    {"profile": "baseline"}),
    ("RFC 7591 §2 secret beside keys",          {"client_secret_hash": HASH}),
    ("RFC 7591 §2 no keys to assert with",      {"profile": "baseline", "token_endpoint_auth_method": "private_key_jwt", "jwks": None}),
    ("RFC 8705 §2.1.2 no name",                 {"token_endpoint_auth_method": "tls_client_auth"}),
    ("RFC 8705 §2.1.2 two names",               {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=x", "tls_client_auth_san_dns": "x"}),
    ("RFC 8705 §2.2 no certificate anywhere",   {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": None}),
    ("RFC 6749 §4.4 public client for itself",  {"profile": "baseline", "token_endpoint_auth_method": "none", "grant_types": ["client_credentials"]}),
]
# fmt: on


@pytest.mark.parametrize("members", [row[1] for row in NEVER], ids=[row[0] for row in NEVER])
def test_never(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**members)


def test_every_rule_is_broken_by_some_row() -> None:
    """A rule that nothing breaks would be a rule that nobody tests."""
    seen = set()
    for members in [*(row[1] for row in NEVER), *(row[1] for row in ALLOWED if row[2] == TRYING)]:
        implied = profile.DEFAULTS[members.get("profile", "fapi2")]
        who = ClientMetadata.model_construct(**{**made().model_dump(), **implied, **members})
        seen |= {id(rule) for rule in profile.broken(who, "production")}
    assert [rule.demand for rule in profile.RULES if id(rule) not in seen] == []


def test_a_public_subject_is_nobodys_sector() -> None:
    """OpenID Connect Core §8: the same for all who registered so, and no client or sector can be named like it."""
    who = made(
        profile="baseline",
        client_secret_hash=HASH,
        token_endpoint_auth_method="client_secret_post",
        subject_type="public",
    )
    assert who.pairwise_sector == PUBLIC_SECTOR
    for taken in ({"sector": PUBLIC_SECTOR}, {"client_id": PUBLIC_SECTOR}):
        with pytest.raises(ValidationError):
            ClientMetadata.model_validate(
                {**made().model_dump(exclude={"wordings"}), "redirect_uris": [CALLBACK], **taken}
            )
