"""Health: alive says that the process answers, ready that its database and its keys do."""

from keys.keyring import Keyring
from tests.broker.whole import Gone, Whole


def test_alive_and_ready(whole: Whole) -> None:
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        answer = whole.client().get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": status})
        assert answer.headers["cache-control"] == "no-store"
        assert whole.client().head(path).status_code == 200


def test_a_database_that_is_gone_costs_readiness_and_not_the_process(whole: Whole) -> None:
    mine = whole.parts.database
    whole.give(database=Gone())
    assert whole.client().get("/healthz").status_code == 200
    answer = whole.client().get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    whole.give(database=mine)
    assert whole.client().get("/readyz").status_code == 200


def test_without_a_signing_key_nobody_is_sent_here(whole: Whole) -> None:
    whole.parts.signing.current = Keyring(())
    assert whole.client().get("/healthz").status_code == 200
    answer = whole.client().get("/readyz")
    told = answer.json()
    assert (answer.status_code, told.pop("correlation_id") != "", told) == (500, True, {"error": "server_error"})
