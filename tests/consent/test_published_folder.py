"""Published files appear whole and for ever, also in a folder that is a mount of its own; what was left over is cleaned."""

import os
from pathlib import Path

import pytest

from consent.errors import LedgerBroken
from consent.published_folder import PublishedFolder
from tests.mounts import mount


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_on_a_mount_of_its_own_takes_files(tmp_path):
    folder = tmp_path / "data" / "ledger"
    with mount(folder):
        assert folder.stat().st_dev != folder.parent.stat().st_dev
        files = PublishedFolder(folder)
        files.add("tile/0/000", b"a tile")
        files.replace("checkpoint", b"one")
        files.replace("checkpoint", b"two")
        assert (files.read("tile/0/000"), files.read("checkpoint")) == (b"a tile", b"two")
        assert names(folder) == ["checkpoint", "tile/0/000"]
        assert [path.name for path in folder.parent.iterdir()] == ["ledger"], "nothing is written beside it"


def test_a_name_has_its_bytes_for_ever(tmp_path):
    files = PublishedFolder(tmp_path)
    files.add("tile/0/000", b"a tile")
    number = (tmp_path / "tile/0/000").stat().st_ino
    files.add("tile/0/000", b"a tile")
    with pytest.raises(LedgerBroken, match="other bytes"):
        files.add("tile/0/000", b"another")
    assert (tmp_path / "tile/0/000").stat().st_ino == number
    assert names(tmp_path) == ["tile/0/000"]


class Raced(PublishedFolder):
    """A folder where another publisher gives the name away between the look and the link."""

    data = b""

    def _stage(self, data):
        (self.path / "tile/0/000").write_bytes(self.data)
        return super()._stage(data)


@pytest.mark.parametrize("data", [b"a tile", b"another"])
def test_of_two_that_give_one_name_the_first_is_kept(tmp_path, data):
    files = Raced(tmp_path)
    files.data = data
    if data == b"a tile":
        files.add("tile/0/000", b"a tile")
    else:
        with pytest.raises(LedgerBroken, match="other bytes"):
            files.add("tile/0/000", b"a tile")
    assert files.read("tile/0/000") == data
    assert names(tmp_path) == ["tile/0/000"]


def test_what_is_staged_has_a_name_that_nobody_can_have_prepared(tmp_path):
    files = PublishedFolder(tmp_path)
    files.add("tile/0/000", b"a tile")
    first, second = files._stage(b"1"), files._stage(b"2")
    assert first != second
    assert {len(path.name) for path in (first, second)} == {32}
    assert {path.parent for path in (first, second)} == {tmp_path / ".stage"}


def test_a_file_and_its_directory_are_flushed(tmp_path):
    """Each new directory is flushed into the one above it, the file before its name, the name's directory last."""
    flushed = []

    def fsync(handle):
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink())

    PublishedFolder(tmp_path / "ledger", fsync=fsync).add("tile/0/000", b"a tile")
    short = [path.relative_to(tmp_path).as_posix() for path in flushed]
    assert [name for name in short if ".stage/" not in name] == [
        ".",
        "ledger",
        "ledger",
        "ledger/tile",
        "ledger/tile/0",
    ]
    staged = next(index for index, name in enumerate(short) if ".stage/" in name)
    assert short[staged + 1 :] == ["ledger/tile/0"]


def test_leftovers_are_cleaned_and_files_being_written_are_not(tmp_path):
    files = PublishedFolder(tmp_path / "ledger")
    files.add("tile/0/000", b"a tile")
    old, fresh = files._stage(b"from before"), files._stage(b"just now")
    os.utime(old, (1, 1))
    earlier = tmp_path / "ledger.new"
    earlier.mkdir()
    (earlier / "4711").write_bytes(b"where versions before this one staged")
    files.sweep()
    assert list((tmp_path / "ledger" / ".stage").iterdir()) == [fresh]
    assert not earlier.exists()


def test_what_the_disk_refuses_leaves_nothing_half(tmp_path):
    def full(handle):
        if not Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        PublishedFolder(tmp_path, fsync=full).replace("checkpoint", b"one")
    files = PublishedFolder(tmp_path)
    assert files.read("checkpoint") is None
    assert names(tmp_path) == []
    files.replace("checkpoint", b"one")
    assert files.read("checkpoint") == b"one"
