"""The published keys: public halves of what signs tokens, named by thumbprint (RFC 7517 §5)."""

from broker.endpoints import jwks
from keys import algorithms
from keys.keyring import Keyring, SigningKey
from tests.broker.provider import Provider
from tests.broker.relying import keyring

PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "priv"}


def test_keys_of_every_stage_and_no_other_purpose(provider: Provider) -> None:
    stages = [SigningKey.of(algorithms.generate("ES256"), purpose="token", stage=s) for s in ("upcoming", "retiring")]
    others = [SigningKey.of(algorithms.generate("ES256"), purpose="credential", stage="signing")]
    others.append(SigningKey.of(algorithms.generate("Ed25519"), purpose="ledger", stage="signing"))
    provider.parts.keyring = Keyring((*keyring().keys, *stages, *others))
    answer = provider.call(jwks, provider.request("GET", "/jwks", []), "public")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    kids = [key["kid"] for key in answer.body["keys"]]
    assert kids == sorted(set(kids))
    assert len(kids) == 3
    assert not {key.kid for key in others} & set(kids)
    for key in answer.body["keys"]:
        assert (key["use"], key["alg"]) == ("sig", "ES256")
        assert not PRIVATE & key.keys()
