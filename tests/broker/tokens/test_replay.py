"""Single-use ids: one insert, whoever is first (RFC 7523 §3)."""

import threading

import pytest

from broker import errors
from broker.database import Database
from broker.tokens import replay
from broker.tokens.replay import Replayed


@pytest.mark.parametrize(("kind", "row"), replay.REFUSALS.items())
def test_the_second_use_is_refused(database: Database, kind: str, row: tuple[str, str, int]) -> None:
    with database.write() as tx:
        replay.spend(tx, kind, b"i" * 32, 1)
    with pytest.raises(Replayed) as refused, database.write() as tx:
        replay.spend(tx, kind, b"i" * 32, 1)
    said = errors.refusal(refused.value)
    assert (said.code, said.description, said.status) == row


def test_kinds_do_not_meet(database: Database) -> None:
    with database.write() as tx:
        replay.spend(tx, "client_assertion", b"i" * 32, 1)
        replay.spend(tx, "dpop_proof", b"i" * 32, 1)


def test_two_at_once_are_one_statement_and_one_refusal(database: Database) -> None:
    assertion, proof = ("client_assertion", b"a" * 32, 1), ("dpop_proof", b"p" * 32, 1)
    with database.write() as tx:
        replay.spend_all(tx, None, None)
        replay.spend_all(tx, assertion, proof)
    for again in ((assertion, ("dpop_proof", b"q" * 32, 1)), (("client_assertion", b"b" * 32, 1), proof)):
        with pytest.raises(Replayed), database.write() as tx:
            replay.spend_all(tx, *again)
    with database.write() as tx:  # what came with a replay was not used up by it
        replay.spend_all(tx, ("client_assertion", b"b" * 32, 1), ("dpop_proof", b"q" * 32, 1))
    with pytest.raises(Replayed, match="invalid_client"), database.write() as tx:
        replay.spend_all(tx, assertion, proof)


def test_what_has_no_id_uses_nothing_up(database: Database) -> None:
    with database.write() as tx:
        replay.spend(tx, "client_assertion", None, 1)
        replay.spend(tx, "client_assertion", None, 1)


def test_sixteen_at_once(database_url: str, database: Database) -> None:
    """Exactly one of sixteen concurrent uses goes through, on connections of their own."""
    results: list[bool] = []
    start = threading.Barrier(16)

    def use() -> None:
        own = Database.open(database_url) if database.dialect == "postgresql" else database
        start.wait()
        try:
            with own.write() as tx:
                replay.spend(tx, "client_assertion", b"r" * 32, 1)
            results.append(True)
        except Replayed:
            results.append(False)
        finally:
            if own is not database:
                own.close()

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results.count(True), results.count(False)) == (1, 15)
