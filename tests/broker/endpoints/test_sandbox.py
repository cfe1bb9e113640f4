"""What only the demo tells; in every other mode there is nothing there."""

import json

import pytest

from tests.broker.whole import Whole

TOLD = b'{"personas":[{"totp_secret":"x"}]}\n'


def ask(whole: Whole, mode: str) -> tuple[int, bytes]:
    whole.give(mode=mode)
    answer = whole.client().get("/sandbox/demo.json")
    assert answer.headers["cache-control"] == "no-store", "it holds secrets"
    return answer.status_code, answer.content


def test_the_demo_tells_what_was_written(whole: Whole) -> None:
    assert ask(whole, "demo")[0] == 404
    (whole.settings.data_dir / "demo.json").write_bytes(TOLD)
    assert ask(whole, "demo") == (200, TOLD)


@pytest.mark.parametrize("mode", ["sandbox", "production"])
def test_other_modes_tell_nothing(whole: Whole, mode: str) -> None:
    (whole.settings.data_dir / "demo.json").write_bytes(TOLD)
    status, content = ask(whole, mode)
    told = json.loads(content)
    assert (status, told.pop("correlation_id") != "", told) == (404, True, {"error": "not_found"})
