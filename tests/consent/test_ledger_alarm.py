"""The alarm keeps its first cause, survives whoever raised it, and is never taken for silence."""

import pytest

from consent.errors import AlarmRaised
from consent.ledger_alarm import Alarm, LedgerAlarm


@pytest.fixture
def alarm(tmp_path):
    return LedgerAlarm(tmp_path / "data" / "ledger")


def test_the_first_cause_stands_until_it_is_lifted(alarm, tmp_path):
    alarm.check()
    alarm.raise_("the first", 1)
    alarm.raise_("the second", 2)
    again = LedgerAlarm(tmp_path / "data" / "ledger")
    assert again.standing() == Alarm("the first", 1)
    with pytest.raises(AlarmRaised, match="the first"):
        again.check()
    again.lift()
    again.lift()
    alarm.check()


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"what":1}', b"\xff"])
def test_an_alarm_that_cannot_be_read_is_an_alarm(alarm, data):
    alarm.path.parent.mkdir()
    alarm.path.write_bytes(data)
    with pytest.raises(AlarmRaised, match="cannot be read"):
        alarm.check()
