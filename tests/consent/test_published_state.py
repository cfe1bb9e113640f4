"""What a folder says before anybody signs over it: absent, unreadable and further than the database are three things."""

import pytest

from consent import checkpoint, published_state
from consent.checkpoint import Checkpoint, Signer
from consent.errors import LedgerBroken
from consent.published_state import PublishedState
from keys import notes

ORIGIN = "id.example.gov/ledger"
SIGNERS = [Signer.of(ORIGIN, notes.from_seed(alg, bytes(32))) for alg in ("Ed25519", "ML-DSA-44")]
KEYS = [signer.key for signer in SIGNERS]
NOTE = checkpoint.sign(Checkpoint(ORIGIN, 46, bytes(32)), SIGNERS, 1)


def test_nothing_published_is_nothing_to_fear(tmp_path):
    assert published_state.read(tmp_path / "ledger") == PublishedState(None, 0)
    PublishedState().check(KEYS, 0, {}.get)


@pytest.mark.parametrize("note", [b"", b"\n", NOTE[:-1], NOTE[:200], NOTE.replace(b"46", b"41")])
def test_a_checkpoint_that_is_there_and_cannot_be_read_is_not_an_absent_one(tmp_path, note):
    (tmp_path / "checkpoint").write_bytes(note)
    with pytest.raises(LedgerBroken, match="cannot be read"):
        published_state.read(tmp_path).check(KEYS, 50, {46: bytes(32)}.get)


def test_a_disk_that_gives_nothing_is_neither(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(OSError, match="directory"):
        published_state.read(tmp_path)


@pytest.mark.parametrize(("signed", "says"), [({}, "older state"), ({46: b"\x01" * 32}, "another history")])
def test_a_database_that_has_not_signed_it_is_refused(signed, says):
    with pytest.raises(LedgerBroken, match=says):
        PublishedState(NOTE).check(KEYS, 50, signed.get)
    PublishedState(NOTE).check(KEYS, 50, {46: bytes(32)}.get)


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("000.p/46", 46),
        ("000", 256),
        ("001.p/3", 259),
        ("x001/002", 256 * 1003),
        ("x001/x002/003.p/7", 256 * 1002003 + 7),
    ],
)
def test_files_beyond_the_database_are_an_older_state_of_it(tmp_path, name, reach):
    for each in (f"tile/entries/{name}", "tile/entries/notes.txt"):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_bytes(b"")
    state = published_state.read(tmp_path)
    assert state.reach == reach
    assert published_state.read(tmp_path, files=False).reach == 0
    state.check(KEYS, reach, {}.get)
    with pytest.raises(LedgerBroken, match="older state"):
        state.check(KEYS, reach - 1, {}.get)
