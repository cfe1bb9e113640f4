"""What a client may register (RFC 7591 §2, §5)."""

from typing import Any

import pytest
from pydantic import ValidationError

from broker.clients.metadata import ClientMetadata
from tests.broker.relying import CALLBACK, Key, client

KEY = Key()


def test_wordings_by_language() -> None:
    made = client(KEY, **{"client_name#ar": "بلدية نور"})
    assert made.name("ar") == "بلدية نور"
    assert made.name("de") == "Relying Party"


@pytest.mark.parametrize(
    ("contacts", "told"),
    [
        (["taxes@norr.example"], "taxes@norr.example"),
        (["Your account is locked. Pay at evil.example", "+47 (22) 00-00.00"], "+47 (22) 00-00.00"),
        (["a@norr.example\u202e", "pay now@norr.example", "<b>@norr.example\n"], "https://rp.example/"),
        ([], "https://rp.example/"),
    ],
)
def test_whom_people_reach(contacts: list[str], told: str) -> None:
    """RFC 7591 §2: what a client writes about itself is no text of a page of ours, only where it can be reached."""
    assert client(KEY, contacts=contacts, client_uri="https://rp.example/").contact == told


@pytest.mark.parametrize(
    ("members", "sector"),
    [
        ({}, "rp"),
        ({"sector": "norr"}, "norr"),
        ({"redirect_uris": [CALLBACK, "https://rp.example/other"]}, "rp"),
    ],
)
def test_sector(members: dict[str, Any], sector: str) -> None:
    """OpenID Connect Core §8.1; two clients on one host share no subject identifiers."""
    assert client(KEY, **members).pairwise_sector == sector


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"trusted": True}, id="unknown member"),
        pytest.param({"client_id": "Has Space"}, id="client_id"),
        pytest.param({"jwks_uri": "https://rp.example/jwks", "jwks": {"keys": []}}, id="RFC 7591 §2 both key sources"),
        pytest.param({"jwks": None}, id="no key source"),
        pytest.param({"redirect_uris": []}, id="no redirect URI"),
        pytest.param({"redirect_uris": [CALLBACK + "?state=x"]}, id="RFC 6749 §3.1 state in a redirect URI"),
        pytest.param(
            {"post_logout_redirect_uris": [CALLBACK + "?state=x"]}, id="Logout §3 state where to go afterwards"
        ),
        pytest.param({"frontchannel_logout_uri": CALLBACK + "?sid=x"}, id="Front-Channel Logout §2 sid in a frame"),
        pytest.param({"redirect_uris": ["https://[fe80::1%25eth0]/cb"]}, id="RFC 6874 zone id"),
        pytest.param({"redirect_uris": ["https://[2001:db8::1]/cb"]}, id="CSP §2.3.1 a host no policy names"),
        pytest.param({"redirect_uris": [CALLBACK] * 51}, id="too many redirect URIs"),
        pytest.param({"request_uris": ["https://rp.example/r#a b"]}, id="Core §6.2 a fragment with a space"),
        pytest.param({"request_uris": ["https://rp.example/r#a#b"]}, id="Core §6.2 two fragments"),
        pytest.param({"request_uris": ["http://rp.example/r#a"]}, id="Core §6.2 not https"),
        pytest.param({"token_endpoint_auth_method": "client_secret_basic"}, id="FAPI 2.0 §5.3.2.1 shared secret"),
        pytest.param({"token_endpoint_auth_signing_alg": "RS256"}, id="FAPI 2.0 §5.4 RS256"),
        pytest.param({"token_endpoint_auth_signing_alg": "none"}, id="RFC 8725 §3.2 none"),
        pytest.param({"id_token_signed_response_alg": "RS256"}, id="FAPI 2.0 §5.4 RS256 for ID tokens"),
        pytest.param({"id_token_signed_response_alg": "none"}, id="OIDC Core §2 unsigned ID tokens"),
        pytest.param({"response_types": ["token"]}, id="RFC 9700 §2.1.2 implicit"),
        pytest.param({"dpop_bound_access_tokens": False}, id="FAPI 2.0 §5.3.2.1 bearer tokens"),
        pytest.param({"require_pushed_authorization_requests": False}, id="FAPI 2.0 §5.3.2.2 no PAR"),
        pytest.param({"jwks_uri": "${agency.norr}/jwks"}, id="placeholder"),
        pytest.param({"client_name": "Tax\u202eoffice"}, id="direction override"),
        pytest.param({"client_name": "Tax\u200boffice"}, id="zero-width space"),
        pytest.param({"client_name#ar": "a\nb"}, id="line end"),
        pytest.param({"disabled": "no"}, id="exact types"),
        pytest.param({"subject_type": "public"}, id="OIDC Core §8.1 one subject for all"),
        pytest.param({"token_endpoint_auth_method": "none"}, id="FAPI 2.0 §5.3.2.1 public client"),
        pytest.param({"profile": "trusted"}, id="unknown profile"),
        pytest.param({"client_secret_hash": "short"}, id="no hash"),
    ],
)
def test_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        client(KEY, **members)


def test_frozen() -> None:
    made = client(KEY)
    with pytest.raises(ValidationError):
        made.disabled = True
    assert isinstance(made, ClientMetadata)


TWO_HOSTS = {"redirect_uris": [CALLBACK, "https://b.example/cb"]}


@pytest.mark.parametrize(
    ("declared", "lacks"),
    [
        ({}, False),
        ({"subject_type": "public", "profile": "baseline", "token_endpoint_auth_method": "none"}, False),
        ({"subject_type": "pairwise"}, True),
        ({"subject_type": "pairwise", "sector": "norr"}, False),
    ],
)
def test_several_hosts_need_a_sector_only_where_pairwise_was_asked_for(
    declared: dict[str, Any], *, lacks: bool
) -> None:
    """OpenID Connect Core §8.1; who does not ask is known by identifiers of its own all the same."""
    made = client(KEY, **TWO_HOSTS, **declared)
    assert made.lacks_sector(declared) is lacks
    assert made.pairwise_sector == (
        "PUBLIC" if declared.get("subject_type") == "public" else made.sector or made.client_id
    )


def test_a_request_address_may_have_a_fragment() -> None:
    """OpenID Connect Core §6.2: the hash of what is there."""
    assert client(
        KEY, profile="baseline", token_endpoint_auth_method="none", request_uris=["https://rp.example/r#abc_-"]
    )
