"""One form for what is asked: the scope spelling, narrowing, and over-asking refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import intended_use, request
from consent.errors import ConsentError, OverAsked, UnknownUse
from consent.request import Narrowing
from keys import canonical

USE = "use:norr.childcare-allowance"
CLIENT = "norr-childcare"


def test_the_one_liner_asks_for_everything_registered(asked, childcare):
    assert asked.item_ids == childcare.item_ids
    assert asked.optional == {"contact.iban", "contact.email"}
    assert asked.required == set(childcare.item_ids) - asked.optional
    assert (asked.use_id, asked.version, asked.kind) == ("norr.childcare-allowance", 3, "ongoing")
    assert (asked.subject, asked.until) == ("self", None)


@pytest.mark.parametrize(
    ("scopes", "items"),
    [
        (["contact.email", "identity.given_name"], ("identity.given_name", "contact.email")),
        (["email"], ("contact.email",)),
        (["email", "address"], ("address.registered", "contact.email")),
    ],
)
def test_item_words_narrow(uses, scopes, items):
    found = request.normalise(["openid", USE, *scopes], uses, CLIENT)
    assert found is not None
    assert found.item_ids == items


@pytest.mark.parametrize(
    ("scopes", "items"),
    [
        (["contact.phone"], ("contact.phone",)),
        (["phone"], ("contact.phone",)),
        (["profile"], ("contact.language", "identity.full_name")),
        (["identity.portrait", "contact.email", "benefits.current"], ("benefits.current", "identity.portrait")),
        (["no.such_item"], ("no.such_item",)),
    ],
)
def test_over_asking_names_the_items(uses, scopes, items):
    with pytest.raises(OverAsked) as refused:
        request.normalise(["openid", USE, *scopes], uses, CLIENT)
    assert refused.value.items == items
    assert all(item in refused.value.description for item in items)
    assert "norr.childcare-allowance@3" in refused.value.description


@pytest.mark.parametrize(
    ("scopes", "client"),
    [
        (["use:norr.no-such-use"], CLIENT),
        (["use:"], CLIENT),
        ([USE], "norr-planning"),
        ([USE, "use:norr.building-permit"], CLIENT),
        (["email"], CLIENT),
        (["contact.email"], CLIENT),
    ],
)
def test_asking_without_a_use_of_ones_own(uses, scopes, client):
    with pytest.raises(UnknownUse):
        request.normalise(["openid", *scopes], uses, client)


def test_a_foreign_use_is_told_from_none(uses):
    """The register of uses is public: an error that hides its cause would hide nothing else."""
    said = []
    for scope, client in ((USE, "norr-planning"), ("use:norr.no-such-use", CLIENT)):
        with pytest.raises(UnknownUse) as refused:
            request.normalise([scope], uses, client)
        said.append(refused.value.description)
    assert said == [
        "this use is registered for another client",
        f"no use has this id; this client's: {USE.removeprefix('use:')}",
    ]


@pytest.mark.parametrize("scopes", [[], ["openid"], ["openid", "offline_access"]])
def test_no_data_is_asked_for(uses, scopes):
    assert request.normalise(scopes, uses, CLIENT) is None


def test_a_scope_twice_is_one(uses, asked):
    assert request.normalise([USE, USE], uses, CLIENT) == asked


WORDS = (
    st.sampled_from([USE, "use:norr.building-permit", "openid", "email", "profile", "contact.iban", "x.y"]) | st.text()
)


@given(scopes=st.lists(WORDS, max_size=8))
def test_never_more_than_registered_whatever_is_sent(uses, scopes):
    try:
        found = request.normalise(scopes, uses, CLIENT)
    except ConsentError:
        return
    if found is not None:
        use = uses.get(found.use_id)
        assert use.client_id == CLIENT
        assert set(found.item_ids) <= set(use.item_ids)
        assert found.required <= {item.id for item in use.items if item.required}


@pytest.mark.parametrize(
    ("by", "items", "required"),
    [
        (Narrowing(items={"contact.email": None}), ("contact.email",), set()),
        (Narrowing(items={"contact.email": False, "identity.given_name": True}), ("identity.given_name", "contact.email"), {"identity.given_name"}),
        (Narrowing(items={"identity.given_name": False}), ("identity.given_name",), set()),
        (Narrowing(bundles=("contact",)), ("contact.iban", "contact.email"), set()),
        (Narrowing(use_id="norr.childcare-allowance", version=3, items={"contact.iban": None}), ("contact.iban",), set()),
    ],
)  # fmt: skip
def test_further_spellings_narrow(uses, by, items, required):
    """RFC 9396 §2."""
    found = request.normalise([USE], uses, CLIENT, [by])
    assert (found.item_ids, found.required, found.kind) == (items, required, "ongoing")


@pytest.mark.parametrize(
    ("by", "named"),
    [
        ([Narrowing(items={"contact.phone": None})], "contact.phone"),
        ([Narrowing(items={"contact.email": True})], "contact.email"),
        ([Narrowing(items={"identity.given_name": None}), Narrowing(items={"contact.email": None})], "contact.email"),
        ([Narrowing(items={"contact.email": None}, bundles=("identity",))], "contact.email"),
        ([Narrowing(items={"identity.given_name": False}), Narrowing(items={"identity.given_name": True})], "identity.given_name"),
        ([Narrowing(bundles=("driving",))], "driving"),
        ([Narrowing(version=2)], "version 3"),
        ([Narrowing(kind="once"), Narrowing(kind="ongoing")], "one time"),
    ],
)  # fmt: skip
def test_a_further_spelling_never_widens(uses, by, named):
    """RFC 9396 §5: the refusal names what was too much."""
    with pytest.raises(OverAsked) as refused:
        request.normalise([USE], uses, CLIENT, by)
    assert named in refused.value.description


def test_once_under_an_ongoing_use(uses):
    found = request.normalise([USE], uses, CLIENT, [Narrowing(kind="once", form_ref="f-1")])
    assert (found.kind, found.form_ref) == ("once", "f-1")


def test_kept_and_read_again(asked):
    kept = canonical.loads(canonical.dumps(request.to_json(asked)))
    assert request.from_json(kept) == asked


def test_the_detail_says_what_may_be_asked(asked, catalogue):
    detail = request.details(asked, catalogue, "https://id.norr.example")
    assert detail["type"] == "https://id.norr.example/rar/prefill/v1"
    assert (detail["intended_use"], detail["version"]) == ("norr.childcare-allowance", 3)
    assert detail["datatypes"] == ["identity", "address", "family", "employment", "contact"]
    assert {"id": "contact.iban", "required": False} in detail["items"]
    assert detail["access"] == {"kind": "ongoing"}
    assert canonical.loads(canonical.dumps(detail)) == detail


def test_a_use_of_a_newer_version_is_asked_for(uses, childcare):
    newer = childcare.model_copy(update={"version": 4})
    found = request.normalise([USE], intended_use.collect([*uses.versions.values(), newer]), CLIENT)
    assert found is not None
    assert found.version == 4


def test_what_was_given_before_is_asked_for_again_beside_it(uses, childcare):
    """Grant Management §5.2 `merge`: in the order of the use, as the use registers it; what is no longer registered is gone."""
    asked = request.normalise([USE, "contact.email"], uses, CLIENT, [Narrowing(kind="once")])
    together = request.merged(asked, childcare, ["contact.iban", "identity.given_name", "no.such_item"], ongoing=True)
    assert together.item_ids == ("identity.given_name", "contact.iban", "contact.email")
    assert (together.required, together.kind) == ({"identity.given_name"}, "ongoing")
    assert request.merged(asked, childcare, [], ongoing=False) == asked
