"""Don't share: nothing leaves, nothing is kept, and the person sees that they said no."""

from tests.world import World


def test_a_refusal_is_told_and_nothing_else(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    rows = world.inside.rows("sealed_row")
    page = person.comes_from(agency.asks())
    said = agency.receives(person.press(page, "consent", "refuse", item=["contact.iban"]))
    assert said == {"error": "access_denied"}
    assert world.inside.rows("sealed_row") == rows, "the refused values are still kept"
    assert [event.type for event in world.inside.events(person)] == ["access.previewed"]
    assert [(row["type"], row["party"]) for row in world.inside.activity(person)] == [
        ("permission.refused", "norr-childcare")
    ]
    assert person.sharing() == {}
    again = person.comes_from(agency.asks())
    assert again.has("consent"), "a refusal is not remembered against the person"


def test_the_agency_of_the_demo_goes_on_without(world: World) -> None:
    person, form = world.neighbour(), world.agencies["norr-childcare"]
    page = person.sign_in(person.press(person.open(f"{form}/"), "prefill", "fill"))
    page = person.press(page, "consent", "refuse")
    assert page.url.startswith(form)
    assert page.has("refused")
    assert not [e for e in page.content if "data-source" in e]


def test_a_refusal_stays_a_refusal(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    page = person.comes_from(agency.asks())
    person.press(page, "consent", "refuse")
    late = person.press(page, "consent", "share")
    assert late.get("already")["data-outcome"] == "refused"
    assert person.open(page.url).get("already")["data-outcome"] == "refused"
    assert person.sharing() == {}
    assert len(world.inside.activity(person)) == 1
