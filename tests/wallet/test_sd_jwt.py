"""Selective disclosure against the RFC's own examples, and everything that must be refused (RFC 9901 §7.1)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet import sd_jwt
from wallet.errors import InvalidSdJwt
from wallet.sd_jwt import Hidden

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name not in {"_sd", "...", "_sd_alg"})
PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=12)


def encoded(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("one", json.loads((VECTORS / "rfc9901-s4.2.json").read_text())["disclosures"])
def test_disclosures_of_the_rfc(one: dict[str, Any]) -> None:
    parsed = sd_jwt.parse(one["encoded"])
    held = [parsed.salt, parsed.value] if parsed.name is None else [parsed.salt, parsed.name, parsed.value]
    assert (held, parsed.digest) == (one["content"], one["digest"])


@pytest.mark.parametrize("name", ["rfc9901-s5.json", "rfc9901-s6.3.json"])
def test_examples_of_the_rfc(name: str) -> None:
    vector = json.loads((VECTORS / name).read_text())
    assert sd_jwt.reveal(vector["payload"], [encoded(one) for one in vector["contents"]]) == vector["claims"]


@given(
    st.recursive(
        PLAIN, lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3), max_leaves=12
    )
)
def test_whatever_is_hidden_comes_back(value: Any) -> None:
    payload, disclosures = sd_jwt.conceal({"plain": value, "hidden": Hidden(_hide(value))})
    assert "hidden" not in payload
    assert sd_jwt.reveal(payload, [one.encoded for one in disclosures]) == {"plain": value, "hidden": value}


def _hide(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: Hidden(_hide(member)) for name, member in value.items()}
    return [Hidden(_hide(entry)) for entry in value] if isinstance(value, list) else value


def test_digests_are_sorted_and_salts_are_fresh() -> None:
    payload, made = sd_jwt.conceal({f"c{number}": Hidden(number) for number in range(20)})
    assert payload["_sd"] == sorted(payload["_sd"])
    assert len({one.salt for one in made}) == 20
    assert all(len(base64.urlsafe_b64decode(one.salt + "==")) == 16 for one in made)


def test_a_kept_back_claim_is_absent() -> None:
    payload, made = sd_jwt.conceal({"a": Hidden({"b": Hidden(1), "c": Hidden(2)}), "l": [Hidden("x"), "y"]})
    shown = [one.encoded for one in made if one.name in {"a", "c"}]
    assert sd_jwt.reveal(payload, shown) == {"a": {"c": 2}, "l": ["y"]}


A = ["salt-a", "name", "value"]
ENTRY = ["salt-e", "entry"]
DEEP: Any = "x"
for _ in range(14):
    DEEP = {"m": DEEP}


def _d(content: Any) -> str:
    return sd_jwt.digest(encoded(content))


# fmt: off
REFUSED: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("digest algorithm",                  {"_sd": [_d(A)], "_sd_alg": "md5"},              [A]),
    ("foreign disclosure",                {"_sd": []},                                     [A]),
    ("disclosure twice",                  {"_sd": [_d(A)]},                                [A, A]),
    ("digest twice in one array",         {"_sd": [_d(A), _d(A)]},                         [A]),
    ("digest twice, one without use",     {"_sd": ["q", "q"]},                             []),
    ("digest twice, nested",              {"_sd": [_d(A)], "in": {"_sd": [_d(A)]}},        [A]),
    ("digest is no text",                 {"_sd": [7]},                                    []),
    ("_sd is no array",                   {"_sd": "x"},                                    []),
    ("name taken",                        {"_sd": [_d(A)], "name": 1},                     [A]),
    ("two disclosures with one name",     {"_sd": [_d(A), _d(["s2", "name", 2])]},         [A, ["s2", "name", 2]]),
    ("entry where a member belongs",      {"_sd": [_d(ENTRY)]},                            [ENTRY]),
    ("member where an entry belongs",     {"l": [{"...": _d(A)}]},                         [A]),
    ("... outside an array",              {"...": _d(A)},                                  [A]),
    ("disclosure named _sd",              {"_sd": [_d(["s", "_sd", 1])]},                  [["s", "_sd", 1]]),
    ("disclosure named ...",              {"_sd": [_d(["s", "...", 1])]},                  [["s", "...", 1]]),
    ("four elements",                     {"_sd": [_d(["s", "n", 1, 2])]},                 [["s", "n", 1, 2]]),
    ("one element",                       {"_sd": [_d(["s"])]},                            [["s"]]),
    ("salt is no text",                   {"_sd": [_d([1, "n", 2])]},                      [[1, "n", 2]]),
    ("no array",                          {"_sd": [_d({"s": 1})]},                         [{"s": 1}]),
    ("repeated member inside",            {"_sd": [_d('["s","n",{"a":1,"a":2}]')]},        ['["s","n",{"a":1,"a":2}]']),
    ("not JSON",                          {"_sd": [_d("nonsense")]},                       ["nonsense"]),
    ("nested too deep",                   {"deep": DEEP},                                  []),
]
# fmt: on


@pytest.mark.parametrize(("why", "payload", "disclosures"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(why: str, payload: dict[str, Any], disclosures: list[Any]) -> None:
    with pytest.raises(InvalidSdJwt):
        sd_jwt.reveal(payload, [encoded(one) for one in disclosures])


@pytest.mark.parametrize("text", ["", "a.b.c", "a.b~", "a.b.c~~", "a.b.c~" + "d~" * 201, "a.b.c.d~"])
def test_not_a_compact_sd_jwt(text: str) -> None:
    with pytest.raises(InvalidSdJwt):
        sd_jwt.split(text)


def test_split_tells_issuance_from_presentation() -> None:
    assert sd_jwt.split("a.b.c~d~") == sd_jwt.Parts("a.b.c", ("d",), None)
    assert sd_jwt.split("a.b.c~d~k.b.j") == sd_jwt.Parts("a.b.c", ("d",), "k.b.j")


@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
def test_reserved_names_cannot_be_concealed(name: str) -> None:
    with pytest.raises(InvalidSdJwt):
        sd_jwt.conceal({"a": Hidden({name: 1})})
