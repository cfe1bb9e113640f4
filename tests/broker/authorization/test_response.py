"""The way back to the client: code or error, `iss` and the exact `state`, in four modes (RFC 9207 §2, Form Post §2, JARM §2)."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest

from broker.answers import Page, Redirect
from broker.authorization import checks, response
from broker.authorization.checks import At
from broker.authorization.request import AuthorizationRequest
from broker.errors import Wire
from broker.pages import render
from consent.intended_use import Uses
from keys import algorithms
from keys.keyring import Keyring, SigningKey
from tests.broker.authorization.test_checks import KEY, unchecked
from tests.broker.relying import CALLBACK, ISSUER, client

STATE = 'a b&c=d#e%f+g"><script>alert(1)</script>' + "x" * 343
NOW = 1_795_302_000_000_000
ALGS = ("ES256", "PS256", "EdDSA", "RS256")
KEYRING = Keyring(tuple(SigningKey.of(algorithms.generate(alg), purpose="token", stage="signing") for alg in ALGS))


@pytest.fixture
def asked(uses: Uses) -> AuthorizationRequest:
    return checks.check(unchecked(uses, {"state": STATE}), At.PUSH)


def success(asked: AuthorizationRequest) -> Redirect | Page:
    return response.success(asked, "the-code", issuer=ISSUER, keyring=KEYRING, now=NOW)


def verified(token: str, alg: str) -> dict[str, Any]:
    """What a client reads, with a library of its own."""
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(jwt.PyJWK.from_dict(dict(one.public_jwk)) for one in KEYRING.keys if one.kid == kid)
    options = {"verify_exp": False, "verify_iat": False, "require": ["exp", "iss", "aud"]}
    return dict(jwt.decode(token, key, algorithms=[alg], audience="rp", issuer=ISSUER, options=options))


@pytest.mark.parametrize(
    ("registered", "before"),
    [
        (CALLBACK, f"{CALLBACK}?"),
        (f"{CALLBACK}?tenant=1", f"{CALLBACK}?tenant=1&"),
        (f"{CALLBACK}?", f"{CALLBACK}?"),
        (f"{CALLBACK}?a=b&", f"{CALLBACK}?a=b&"),
    ],
)
def test_answers_are_appended(asked: AuthorizationRequest, registered: str, before: str) -> None:
    sent = success(replace(asked, redirect_uri=registered))
    assert isinstance(sent, Redirect)
    assert sent.location.startswith(before)
    answer = dict(parse_qsl(sent.location.removeprefix(before), keep_blank_values=True, strict_parsing=True))
    assert answer == {"code": "the-code", "iss": ISSUER, "state": STATE}
    assert urlsplit(sent.location).fragment == ""


def test_an_error_says_who_sends_it(asked: AuthorizationRequest) -> None:
    sent = response.error(replace(asked, state=None), "access_denied", issuer=ISSUER, keyring=KEYRING, now=NOW)
    assert isinstance(sent, Redirect)
    assert dict(parse_qsl(urlsplit(sent.location).query)) == {"error": "access_denied", "iss": ISSUER}


def test_a_form_that_ends_at_the_client(asked: AuthorizationRequest) -> None:
    """Form Post §2: the members in a form, escaped, allowed to go to the client's origin and nowhere else."""
    sent = success(replace(asked, response_mode="form_post", redirect_uri="https://rp.example:8443/cb?a=1"))
    assert isinstance(sent, Page)
    assert dict(sent.context["fields"]) == {"code": "the-code", "iss": ISSUER, "state": STATE}
    assert sent.context["action"] == "https://rp.example:8443/cb?a=1"
    policy = render.headers(sent.form_action, own_forms=sent.own_forms)["Content-Security-Policy"]
    assert "form-action https://rp.example:8443;" in policy
    assert "'unsafe-inline'" not in policy
    html = render.Renderer().render(sent.template, sent.context, language="en")
    assert "<script>alert" not in html


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("mode", response.SIGNED)
def test_a_signed_answer_shows_nothing(asked: AuthorizationRequest, mode: str, alg: str) -> None:
    """JARM §2.1, §2.3: one JWT for this client, soon over; neither code nor state beside it."""
    sent = success(replace(asked, response_mode=mode, response_alg=alg))
    members = dict(sent.context["fields"]) if isinstance(sent, Page) else dict(parse_qsl(urlsplit(sent.location).query))
    assert members.keys() == {"response"}
    claims = verified(members["response"], alg)
    lives = claims.pop("exp") - claims.pop("iat")
    assert 0 < lives <= 600
    assert claims == {"iss": ISSUER, "aud": "rp", "code": "the-code", "state": STATE}


def test_a_signed_error(asked: AuthorizationRequest) -> None:
    signed = replace(asked, response_mode="query.jwt", response_alg="ES256", state=None)
    sent = response.error(signed, "access_denied", issuer=ISSUER, keyring=KEYRING, now=NOW, description="no")
    assert isinstance(sent, Redirect)
    claims = verified(dict(parse_qsl(urlsplit(sent.location).query))["response"], "ES256")
    assert (claims["error"], claims["error_description"], claims["iss"]) == ("access_denied", "no", ISSUER)


@pytest.mark.parametrize(
    ("asked_for", "registered", "mode", "alg"),
    [
        (None, None, "query", None),
        ("query", "ES256", "query", None),
        ("form_post", None, "form_post", None),
        ("jwt", "ES256", "query.jwt", "ES256"),
        ("query.jwt", "PS256", "query.jwt", "PS256"),
        ("form_post.jwt", "EdDSA", "form_post.jwt", "EdDSA"),
    ],
)
def test_modes(uses: Uses, asked_for: str | None, registered: str | None, mode: str, alg: str | None) -> None:
    who = client(KEY, authorization_signed_response_alg=registered)
    checked = checks.check(unchecked(uses, {"response_mode": asked_for}, who), At.PUSH)
    assert (checked.response_mode, checked.response_alg) == (mode, alg)


@pytest.mark.parametrize(
    ("asked_for", "registered"),
    [
        pytest.param("jwt", None, id="JARM §3 not registered"),
        pytest.param("query.jwt", None, id="JARM §3 not registered"),
        pytest.param("form_post.jwt", None, id="JARM §3 not registered"),
        pytest.param("fragment", "ES256", id="OAuth MRT §2.1 fragment"),
        pytest.param("fragment.jwt", "ES256", id="JARM §2.3.2 fragment"),
        pytest.param("web_message", "ES256", id="web_message is off"),
        pytest.param("FORM_POST", None, id="case counts"),
        pytest.param("query form_post", None, id="two modes"),
    ],
)
def test_refused_modes(uses: Uses, asked_for: str, registered: str | None) -> None:
    who = client(KEY, authorization_signed_response_alg=registered)
    with pytest.raises(Wire) as refused:
        checks.check(unchecked(uses, {"response_mode": asked_for}, who), At.PUSH)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_request", 400)
