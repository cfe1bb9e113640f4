"""How far the ledger is published: what is not ready says so, and says why in the log."""

from __future__ import annotations

import json
import time

import pytest

from broker import publication
from broker.app import publisher
from broker.publication import Publication
from tests import machine_clock
from tests.broker.whole import Whole
from tests.conftest import POSTGRESQL

SECOND = 1_000_000


def publish(whole: Whole) -> None:
    """Publish now; the broker's own publisher, where it has one, begins with its process and is done before."""
    if not POSTGRESQL:
        patience = machine_clock.Patience()
        while publication.public_size(whole.settings.ledger_dir) is None:
            assert patience.left
            time.sleep(0.01)
    publisher(whole.settings, whole.parts.database, whole.parts.roots, whole.clock).publish_once()


@pytest.mark.parametrize(
    ("waiting_since", "every", "late"),
    [(None, 2.0, None), (0, 2.0, None), (-61, 2.0, 61.0), (-61, 60.0, None), (-301, 60.0, 301.0)],
)
def test_an_entry_may_wait_a_minute_or_five_rhythms(
    waiting_since: int | None, every: float, late: float | None
) -> None:
    since = None if waiting_since is None else waiting_since * SECOND
    assert Publication(2, 1, 1, 0, since).late(0, every) == late


def test_an_entry_that_nobody_publishes_costs_readiness(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    publish(whole)
    whole.give(publish_every=2.0)
    maria, agency = whole.citizen(), whole.agency()
    maria.shares(maria.comes_from(agency.asks()))
    assert whole.client().get("/readyz").status_code == 200
    whole.clock.later(61)
    capsys.readouterr()
    assert whole.client().get("/readyz").status_code == 503
    assert "entries of the ledger are not published" in reasons(capsys)
    assert whole.client().get("/healthz").status_code == 200
    publish(whole)
    assert whole.client().get("/readyz").status_code == 200


def test_a_public_folder_that_was_emptied_costs_readiness(whole: Whole) -> None:
    publish(whole)
    whole.give(publish_every=2.0)
    whole.clock.later(61)
    assert whole.client().get("/readyz").status_code == 200
    (whole.settings.ledger_dir / "checkpoint").write_text("not a checkpoint")
    assert publication.public_size(whole.settings.ledger_dir) is None
    assert whole.client().get("/readyz").status_code == 503


def test_a_clock_that_stands_behind_the_ledger_costs_readiness(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(whole)
    assert whole.client().get("/readyz").status_code == 200
    whole.clock.later(-366 * 86_400)
    capsys.readouterr()
    assert whole.client().get("/readyz").status_code == 503
    assert "this machine's clock stands behind the ledger" in reasons(capsys)


def reasons(capsys: pytest.CaptureFixture[str]) -> set[str]:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return {json.loads(line).get("reason", "") for line in lines}
