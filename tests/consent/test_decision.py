"""The decision: never more than asked, registered and given; no question only inside what was decided."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consent import intended_use, ledger_entry
from consent.decision import Ask, Granted, Refused, decide, share
from consent.errors import ImpossibleEvent, NotAsked
from consent.intended_use import IntendedUse, UseItem
from consent.permission import Event, Permission, step
from consent.request import DataRequest, RequestedItem
from keys import base64url

NOW = 1_795_302_000_000_000
DAY = 86_400_000_000
NOTICE = b"n" * 32
IDS = ("identity.given_name", "address.registered", "contact.iban", "contact.email", "benefits.current")


def use_of(
    childcare: IntendedUse, *, kind: str = "ongoing", version: int = 3, classes: tuple[int, ...] = (1, 2, 2, 1, 1)
) -> IntendedUse:
    words = {"en": "So.", "ar": "هكذا."}
    items = tuple(
        UseItem(id=item, required=at < 2, reason=words, retention_days=1, sensitivity=classes[at])
        for at, item in enumerate(IDS)
    )
    return childcare.model_copy(update={"items": items, "kind": kind, "version": version})


def request_of(use: IntendedUse, *ids: str) -> DataRequest:
    items = tuple(RequestedItem(item.id, item.required) for item in use.items if item.id in (ids or IDS))
    return DataRequest(use.id, use.version, items, use.kind)


def permission_of(use: IntendedUse, *items: str, **more) -> Permission:
    known = {
        "permission_id": "p-1",
        "lookup": b"l" * 32,
        "client": use.client_id,
        "use_id": use.id,
        "use_version": use.version,
        "mode": use.mode,
        "items": items or IDS,
        "notice_digest": NOTICE,
        "valid_from": NOW - DAY,
        "valid_to": NOW + DAY,
        "kind": use.kind,
        "max_uses": None,
        "given_seq": 7,
    }
    return Permission(**{**known, **more})


@pytest.fixture
def use(childcare: IntendedUse) -> IntendedUse:
    return use_of(childcare)


def test_inside_what_was_decided_nobody_is_asked(use):
    live = permission_of(use, *IDS[:3])
    assert decide(request_of(use), use, live, [NOTICE], NOW) == Granted("p-1", IDS[:3])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client": "someone"}, "first"),
        ({"use_id": "norr.other"}, "first"),
        ({"state": "withdrawn"}, "ended"),
        ({"state": "expired"}, "ended"),
        ({"state": "superseded"}, "ended"),
        ({"state": "exhausted"}, "ended"),
        ({"kind": "once"}, "ended"),
        ({"valid_to": NOW}, "ended"),
        ({"valid_from": NOW + 1}, "ended"),
        ({"use_version": 2}, "purpose_changed"),
        ({"mode": "explicit_request"}, "purpose_changed"),
        ({"notice_digest": b"x" * 32}, "notice_changed"),
        ({"items": IDS[:1]}, "items"),
        ({"items": ()}, "items"),
    ],
)
def test_outside_it_the_person_is_asked(use, changes, reason):
    live = replace(permission_of(use), **changes)
    assert decide(request_of(use), use, live, [NOTICE], NOW) == Ask(reason)


@pytest.mark.parametrize(
    ("action", "live", "said"),
    [
        pytest.param("merge", IDS, Granted("p-1", IDS), id="nothing new"),
        pytest.param("merge", IDS[:-1], Ask("items"), id="an optional item was left out"),
        pytest.param("merge", None, Refused("other_permission"), id="not this person's"),
        pytest.param("replace", None, Refused("other_permission"), id="not this person's, to replace"),
        pytest.param("replace", IDS, Ask("anew"), id="replacing always asks"),
        pytest.param("create", IDS, Ask("anew"), id="a new one always asks"),
        pytest.param("create", None, Ask("anew"), id="the first one too"),
    ],
)
def test_what_an_agency_wants_done_with_a_permission(use, action, live, said):
    """Grant Management §5.2."""
    held = None if live is None else permission_of(use, *live)
    assert decide(request_of(use), use, held, [NOTICE], NOW, action=action) == said


def test_the_first_time_the_person_is_asked(use):
    assert decide(request_of(use), use, None, [NOTICE], NOW) == Ask("first")


def test_another_language_is_no_change(use):
    assert decide(request_of(use), use, permission_of(use), [b"x" * 32, NOTICE], NOW)


def test_no_notice_at_all_asks(use):
    assert decide(request_of(use), use, permission_of(use), [], NOW) == Ask("notice_changed")


def test_a_longer_period_asks(use):
    longer = replace(request_of(use), until=NOW + 2 * DAY)
    assert decide(longer, use, permission_of(use), [NOTICE], NOW) == Ask("period")
    assert decide(longer, use, permission_of(use, valid_to=NOW + 3 * DAY), [NOTICE], NOW)


def test_a_use_of_kind_once_always_asks(childcare):
    use = use_of(childcare, kind="once")
    assert decide(request_of(use), use, permission_of(use, kind="ongoing"), [NOTICE], NOW) == Ask("once")


def test_a_class_three_item_that_was_given_always_asks(childcare):
    use = use_of(childcare, classes=(1, 2, 2, 1, 3))
    assert decide(request_of(use), use, permission_of(use), [NOTICE], NOW) == Ask("always_asked")


def test_a_class_three_item_that_was_refused_is_not_asked_again(childcare):
    use = use_of(childcare, classes=(1, 2, 2, 1, 3))
    assert decide(request_of(use), use, permission_of(use, *IDS[:2]), [NOTICE], NOW) == Granted("p-1", IDS[:2])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda asked: replace(asked, use_id="norr.other"), "other_use"),
        (lambda asked: replace(asked, version=2), "other_version"),
        (lambda asked: replace(asked, items=()), "not_registered"),
        (lambda asked: replace(asked, items=(RequestedItem("contact.phone", required=False),)), "not_registered"),
        (lambda asked: replace(asked, items=(RequestedItem("contact.iban", required=True),)), "wider_than_registered"),
    ],
)
def test_what_is_no_request_of_this_use_is_refused(use, change, reason):
    answer = decide(change(request_of(use)), use, permission_of(use), [NOTICE], NOW)
    assert answer == Refused(reason)
    assert not answer


def test_ongoing_is_wider_than_once(childcare):
    use = use_of(childcare, kind="once")
    asked = replace(request_of(use), kind="ongoing")
    assert decide(asked, use, None, [NOTICE], NOW) == Refused("wider_than_registered")


def test_share_gives_the_required_and_what_was_ticked(use):
    said = share(request_of(use), {"contact.iban"}, dict.fromkeys(IDS, "provided"))
    assert said.given == IDS[:3]
    assert said.decisions == {
        "identity.given_name": "given",
        "address.registered": "given",
        "contact.iban": "given",
        "contact.email": "refused",
        "benefits.current": "refused",
    }


@pytest.mark.parametrize("status", ["source_unavailable", "withheld", "pending", None])
def test_what_could_not_be_shown_is_not_given(use, status):
    available = dict.fromkeys(IDS, "provided") | {"address.registered": status, "contact.iban": status}
    said = share(request_of(use), {"contact.iban"}, available)
    assert said.given == ("identity.given_name",)
    assert said.decisions["address.registered"] == said.decisions["contact.iban"] == "not_shown"
    assert said.kept == IDS[:3]


@pytest.mark.parametrize("status", ["not_held", "not_applicable", "source_unavailable", "withheld", None])
def test_what_was_not_offered_was_not_refused(use, status):
    """An optional row without a value has no box: its absence is nobody's no."""
    said = share(request_of(use), (), dict.fromkeys(IDS, "provided") | {"contact.iban": status})
    assert (said.decisions["contact.iban"], said.decisions["contact.email"]) == ("not_shown", "refused")
    assert "contact.iban" not in said.given


@pytest.mark.parametrize("status", ["not_held", "not_applicable"])
def test_an_answer_without_a_value_is_an_answer(use, status):
    assert "address.registered" in share(request_of(use), (), dict.fromkeys(IDS, status)).given


def test_nothing_is_preticked(use):
    assert share(request_of(use), (), dict.fromkeys(IDS, "provided")).given == IDS[:2]


@pytest.mark.parametrize("ticked", [{"contact.phone"}, {"identity.given_name"}, {"contact.iban", "x"}, {""}])
def test_a_tick_beside_nothing_offered_is_refused(use, ticked):
    with pytest.raises(NotAsked):
        share(request_of(use), ticked, dict.fromkeys(IDS, "provided"))


def test_a_tick_is_refused_when_the_request_was_narrower(use):
    with pytest.raises(NotAsked):
        share(request_of(use, *IDS[:3]), {"contact.email"}, dict.fromkeys(IDS, "provided"))


SOME = st.lists(st.sampled_from([*IDS, "contact.phone"]), unique=True)
DIGESTS = st.lists(st.sampled_from([NOTICE, b"x" * 32]))
TIMES = st.sampled_from([NOW - 2 * DAY, NOW - DAY, NOW, NOW + DAY - 1, NOW + DAY, NOW + 2 * DAY])
CLASSES = st.tuples(*[st.integers(0, 3)] * 5)


@settings(max_examples=300)
@given(
    wanted=SOME,
    registered=SOME,
    held=SOME,
    required=SOME,
    digests=DIGESTS,
    now=TIMES,
    classes=CLASSES,
    state=st.sampled_from(["live", "live", "withdrawn", "ended_by_controller", "expired", "superseded", "exhausted"]),
    version=st.sampled_from([3, 3, 2]),
    kind=st.sampled_from(["ongoing", "ongoing", "once"]),
    until=st.none() | TIMES,
)
def test_never_more_than_asked_registered_and_given(
    childcare, wanted, registered, held, required, digests, now, classes, state, version, kind, until
):
    full = use_of(childcare, kind=kind, classes=classes)
    use = full.model_copy(update={"items": tuple(item for item in full.items if item.id in registered)})
    items = tuple(RequestedItem(item, item in required) for item in wanted)
    asked = DataRequest(use.id, use.version, items, use.kind, until=until)
    live = permission_of(use, use_version=version, state=state, kind=kind) if held else None
    live = live and replace(live, items=tuple(held))
    answer = decide(asked, use, live, digests, now)
    if not isinstance(answer, Granted):
        assert not answer
        return
    assert live is not None
    assert set(answer.items) <= set(wanted) & set(registered) & set(held)
    assert set(answer.items) == set(wanted) & set(held)
    assert asked.required <= set(answer.items)
    assert (live.state, live.use_version, live.kind) == ("live", use.version, "ongoing")
    assert live.valid_from <= now < (live.valid_to or now + 1)
    assert NOTICE in digests
    assert until is None or until <= (live.valid_to or 0)
    assert all(item.sensitivity < 3 for item in use.items if item.id in answer.items)


@given(
    wanted=SOME,
    ticked=SOME,
    available=st.dictionaries(
        st.sampled_from(IDS),
        st.sampled_from(["provided", "not_held", "not_applicable", "withheld", "source_unavailable", "pending"]),
    ),
)
def test_share_never_gives_more_than_asked_and_shown(childcare, wanted, ticked, available):
    asked = request_of(use_of(childcare), *wanted, "identity.given_name")
    try:
        said = share(asked, ticked, available)
    except NotAsked:
        assert set(ticked) - asked.optional
        return
    assert set(said.given) <= asked.required | set(ticked)
    assert set(said.decisions) == set(asked.item_ids)
    shown = {"provided", "not_held", "not_applicable"}
    assert all(available.get(item) in shown for item in said.given)
    for item in asked.optional - set(ticked):
        assert said.decisions[item] == ("refused" if available.get(item) == "provided" else "not_shown")


class PermissionLife(RuleBasedStateMachine):
    """Give, narrow, withdraw, expire, use, pass the time; a plain model says what may happen next."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.seq = NOW, 0
        self.real: Permission | None = None
        self.given: set[str] | None = None  # the model: what may flow at this moment, None when nothing
        self.until = 0
        self.version = 3
        self.use = use_of(CHILDCARE)

    def event(self, what: str, **body) -> Event:
        self.seq += 1
        private = {"lookup": base64url.encode(b"l" * 32), "notice": base64url.encode(NOTICE), **body.pop("private", {})}
        return Event(self.seq, self.now, what, "p-1", self.use.client_id, body, private)

    def give(self, items: list[str], days: int) -> None:
        until, self.version = (self.now + days * DAY) // 1000 * 1000, self.use.version
        self.real = step(
            None,
            self.event(
                "permission.given",
                purpose=f"{self.use.id}@{self.version}",
                mode="consent",
                kind="ongoing",
                items=dict.fromkeys(items, "given"),
                valid_to=stamp(until),
            ),
        )
        self.given, self.until = set(items), until

    @rule(extra=st.sets(st.sampled_from(IDS[2:])), days=st.integers(1, 3))
    def share(self, extra, days):
        self.give([*IDS[:2], *sorted(extra)], days)

    @rule(items=st.sets(st.sampled_from(IDS[:2]), max_size=1))
    def share_less_than_required(self, items):
        self.give(sorted(items), 1)

    def end(self, kind: str) -> None:
        if self.real is not None and self.real.state == "live":
            self.real = step(self.real, self.event(kind))
        elif self.real is not None:
            with pytest.raises(ImpossibleEvent):
                step(self.real, self.event(kind))
        self.given = None

    @precondition(lambda self: self.real is not None)
    @rule()
    def withdraw(self):
        self.end("permission.withdrawn")

    @precondition(lambda self: self.real is not None)
    @rule(kind=st.sampled_from(["permission.expired", "permission.superseded", "permission.exhausted"]))
    def ends_otherwise(self, kind):
        self.end(kind)

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours):
        self.now += hours * DAY // 24

    @rule()
    def purpose_changes(self):
        self.use = self.use.model_copy(update={"version": self.use.version + 1})
        self.given = None

    @precondition(lambda self: self.real is not None)
    @rule(items=st.sets(st.sampled_from(IDS), min_size=1))
    def release(self, items):
        assert self.real is not None
        event = self.event("access.released", private={"items": dict.fromkeys(items, "provided")})
        inside = self.real.state == "live" and self.now < self.until and items <= set(self.real.items)
        if inside:
            self.real = step(self.real, event)
        else:
            with pytest.raises(ImpossibleEvent):
                step(self.real, event)

    @invariant()
    def decide_agrees_with_the_model(self):
        asked = request_of(self.use)
        answer = decide(asked, self.use, self.real, [NOTICE], self.now)
        live = self.given is not None and self.now < self.until and self.version == self.use.version
        if live and asked.required <= (self.given or set()):
            assert answer == Granted("p-1", tuple(item for item in IDS if item in (self.given or set())))
        else:
            assert isinstance(answer, Ask)


def stamp(ts: int) -> str:
    return ledger_entry.instant(ts)


CHILDCARE = intended_use.load(Path(__file__).parents[2] / "openid-config").get("norr.childcare-allowance")
TestPermissionLife = PermissionLife.TestCase
TestPermissionLife.settings = settings(max_examples=60, stateful_step_count=30)
