"""What an agency learns of an item: whether to try again, never whether it was refused."""

import itertools

import pytest

from consent.item_status import ABSENT, LATER, STATUSES, agency_status, truth

ABSENT_MEMBERS = {"status": "not_provided", "retryable": False, "route": "ask the applicant"}
LATER_MEMBERS = {"status": "not_provided", "retryable": True}
PROVIDED, NOT_APPLICABLE, NOT_HELD = {"status": "provided"}, {"status": "not_applicable"}, {"status": "not_held"}
EVERY = list(itertools.product((True, False), repeat=2))


@pytest.mark.parametrize(
    ("status", "required", "protectable", "members"),
    [
        *[("provided", *flags, PROVIDED) for flags in EVERY],
        *[("not_applicable", *flags, NOT_APPLICABLE) for flags in EVERY],
        *[("source_unavailable", *flags, LATER_MEMBERS) for flags in EVERY],
        *[("withheld", *flags, ABSENT_MEMBERS) for flags in EVERY],
        *[("refused", *flags, ABSENT_MEMBERS) for flags in EVERY],
        ("not_held", True, False, NOT_HELD),
        ("not_held", True, True, ABSENT_MEMBERS),
        ("not_held", False, False, ABSENT_MEMBERS),
        ("not_held", False, True, ABSENT_MEMBERS),
    ],
)
def test_the_closed_list(status, required, protectable, members):
    assert agency_status(status, required=required, protectable=protectable).members() == members


def test_every_status_has_its_row():
    for status, required, protectable in itertools.product(STATUSES, (True, False), (True, False)):
        assert agency_status(status, required=required, protectable=protectable)


@pytest.mark.parametrize("protectable", [True, False])
def test_a_refusal_is_an_absence(protectable):
    refused = agency_status("refused", required=False, protectable=protectable)
    assert refused == agency_status("not_held", required=False, protectable=protectable)


@pytest.mark.parametrize("required", [True, False])
def test_protection_is_an_absence(required):
    withheld = agency_status("withheld", required=required, protectable=True)
    assert withheld == agency_status("not_held", required=required, protectable=True) == ABSENT


def test_only_a_cleared_use_learns_of_protection():
    assert agency_status("withheld", required=True, protectable=True, cleared=True).status == "withheld"


@pytest.mark.parametrize(
    ("found", "given", "became"),
    [
        *[(status, True, status) for status in STATUSES],
        (None, True, "source_unavailable"),
        (None, False, "refused"),
        ("provided", False, "refused"),
        ("not_held", False, "refused"),
        ("not_applicable", False, "refused"),
        ("refused", False, "refused"),
        ("source_unavailable", False, "source_unavailable"),
        ("withheld", False, "withheld"),
    ],
)
def test_what_became_of_an_item(found, given, became):
    assert truth(found, given=given) == became


def test_a_register_that_was_down_while_deciding_may_be_asked_again():
    assert agency_status(truth("source_unavailable", given=False), required=True, protectable=False) == LATER
