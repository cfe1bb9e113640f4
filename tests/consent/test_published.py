"""A published folder: one changed byte in any file is found and the file named, whatever the log's size."""

import base64
import hashlib
import random
import tracemalloc
from pathlib import Path

import pytest

from consent import audit, checkpoint, ledger_entry, merkle, tiles
from consent.checkpoint import Checkpoint, Signer
from consent.errors import CheckpointInvalid
from consent.ledger_entry import SystemRecord
from consent.tiles import Tile
from keys import notes

ORIGIN = "id.example.gov/ledger"
NOW = 1_795_294_800_123_456
SIGNERS = [Signer.of(ORIGIN, notes.from_seed(alg, bytes(32))) for alg in ("Ed25519", "ML-DSA-44")]
STRANGER = Signer.of(ORIGIN, notes.from_seed("Ed25519", b"\x01" * 32))
GENESIS = ledger_entry.system_leaf(
    SystemRecord("genesis", {"origin": ORIGIN, "vkeys": [str(signer.key) for signer in SIGNERS]}), NOW
)


def entry(i: int) -> bytes:
    return GENESIS if i == 0 else b"\x01" + hashlib.sha512(i.to_bytes(8, "big")).digest()


def publish(folder: Path, *sizes: int, entries=entry) -> None:
    """Write the files of each size in turn, as a publisher that signed them all would."""
    leaves = [entries(i) for i in range(max(sizes, default=0))]
    level = [[merkle.leaf_hash(leaf) for leaf in leaves]]
    while len(level[-1]) >= 256:
        below = level[-1]
        level.append([merkle.root_of(below[i : i + 256]) for i in range(0, len(below) - 255, 256)])
    for size in sizes:
        for tile in tiles.for_size(size):
            path = folder / tile.path
            first = tile.index * 256
            part = slice(first, first + tile.width)
            path.parent.mkdir(parents=True, exist_ok=True)
            of = tiles.encode_entries(leaves[part]) if tile.level == "entries" else b"".join(level[tile.level][part])
            path.write_bytes(of)
        sign(folder, size, merkle.root_of(level[0][:size]))
    (folder / "vkeys").write_bytes(checkpoint.encode_vkeys(signer.key for signer in SIGNERS))


def sign(folder: Path, size: int, root: bytes, signers=SIGNERS) -> None:
    (folder / "checkpoint").write_bytes(checkpoint.sign(Checkpoint(ORIGIN, size, root), signers, NOW))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("sizes", [(0,), (1,), (2, 3), (255, 256, 257), (5, 300, 512), (65535, 65536, 65537), (70000,)])
def test_what_was_published_holds_from_folder_and_from_afar(tmp_path, sizes):
    publish(tmp_path, *sizes)
    report = audit.verify_folder(tmp_path)
    assert report.ok, report.findings
    assert (report.size, report.origin, report.files) == (sizes[-1], ORIGIN, len(files(tmp_path)))
    fetched = audit.verify_fetched(lambda path: (tmp_path / path).read_bytes() if (tmp_path / path).exists() else None)
    assert fetched.ok
    assert fetched.root == report.root


@pytest.mark.parametrize("size", [10**6, 10**12, 2**63 - 1])
@pytest.mark.parametrize("near", [True, False])
def test_a_size_with_nothing_behind_it_ends_soon(tmp_path, size, near):
    """Whoever signs a checkpoint chooses its size; an auditor's machine must not choke on it."""
    publish(tmp_path, 300)
    sign(tmp_path, size, bytes(32))
    asked = []

    def fetch(path):
        asked.append(path)
        return (tmp_path / path).read_bytes() if (tmp_path / path).exists() else None

    report = audit.verify_folder(tmp_path) if near else audit.verify_fetched(fetch)
    assert not report.ok
    assert len(asked) < 10_000


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65536, 70000])
def test_what_a_size_reaches_is_told_two_ways(size):
    listed = set(tiles.for_size(size))
    around = {Tile(t.level, t.index + i, w) for t in listed for i in (0, 1) for w in (t.width, 1, 112, 256)}
    assert {tile for tile in around | listed if tiles.reaches(size, tile)} == listed
    assert set(tiles.edge(size)) == {tile for tile in listed if tile.level != "entries" and tile.width < 256}


@pytest.mark.parametrize("sizes", [(1,), (2, 5, 9), (3, 200, 257, 300), (100, 256, 600)])
def test_one_changed_byte_in_any_file_names_that_file(tmp_path, sizes):
    publish(tmp_path, *sizes)
    chance = random.Random(1)
    for path in files(tmp_path):
        good = path.read_bytes()
        few = (
            range(len(good))
            if len(good) <= 100
            else sorted({0, 1, len(good) - 1, *chance.sample(range(len(good)), 40)})
        )
        for position in few:
            changed = bytearray(good)
            changed[position] ^= 1 << chance.randrange(8)
            path.write_bytes(changed)
            found = audit.verify_folder(tmp_path).findings
            assert [finding.file for finding in found] == [path.relative_to(tmp_path).as_posix()], position
        path.write_bytes(good)
    assert audit.verify_folder(tmp_path).ok


def test_one_changed_byte_in_a_log_of_three_levels_names_the_file(tmp_path):
    publish(tmp_path, 65_700)
    chance = random.Random(2)
    every = files(tmp_path)
    upper = [path for path in every if "tile/1/" in path.as_posix() or "tile/2/" in path.as_posix()]
    for path in [*upper, *chance.sample(every, 4)]:
        good = path.read_bytes()
        changed = bytearray(good)
        changed[chance.randrange(len(good))] ^= 0x10
        path.write_bytes(changed)
        assert [f.file for f in audit.verify_folder(tmp_path).findings] == [path.relative_to(tmp_path).as_posix()]
        path.write_bytes(good)


@pytest.mark.parametrize("sizes", [(2, 5, 9), (3, 257, 300)])
def test_a_missing_truncated_or_lengthened_file_is_named(tmp_path, sizes):
    publish(tmp_path, *sizes)
    reached = {tile.path for tile in tiles.for_size(sizes[-1])} | {"vkeys", "checkpoint"}
    for path in files(tmp_path):
        name, good = path.relative_to(tmp_path).as_posix(), path.read_bytes()
        for bad in (good[:-1], good + b"\0", b""):
            path.write_bytes(bad)
            assert name in {f.file for f in audit.verify_folder(tmp_path).findings}
        path.unlink()
        named = {f.file for f in audit.verify_folder(tmp_path).findings}
        assert (name in named) == (name in reached)
        path.write_bytes(good)


def test_a_stranger_in_the_folder_is_named(tmp_path):
    publish(tmp_path, 3)
    (tmp_path / "tile" / "notes.txt").write_text("hello")
    assert [f.file for f in audit.verify_folder(tmp_path).findings] == ["tile/notes.txt"]


def test_files_of_a_size_not_signed_yet_are_ahead_and_not_wrong(tmp_path):
    publish(tmp_path, 3, 7)
    sign(tmp_path, 3, merkle.root_of([merkle.leaf_hash(entry(i)) for i in range(3)]))
    report = audit.verify_folder(tmp_path)
    assert report.ok
    assert sorted(report.ahead) == ["tile/0/000.p/7", "tile/entries/000.p/7"]
    bundle = tmp_path / "tile/entries/000.p/7"
    bundle.write_bytes(bundle.read_bytes().replace(b"genesis", b"Genesis"))
    assert [f.file for f in audit.verify_folder(tmp_path).findings] == ["tile/entries/000.p/7"]


def test_a_log_rewritten_below_a_genuine_checkpoint_is_found(tmp_path):
    publish(tmp_path, 300)
    note = (tmp_path / "checkpoint").read_bytes()
    publish(tmp_path, 300, entries=lambda i: entry(i if i != 7 else 1_000_007))
    (tmp_path / "checkpoint").write_bytes(note)
    assert not audit.verify_folder(tmp_path).ok


def test_a_log_signed_by_a_stranger_fails_against_the_key_one_trusts(tmp_path):
    publish(tmp_path, 3)
    assert {f.file for f in audit.verify_folder(tmp_path, [str(STRANGER.key)]).findings} == {"checkpoint", "vkeys"}
    assert audit.verify_folder(tmp_path, [str(SIGNERS[0].key)]).ok


def test_keys_that_the_first_entry_does_not_name_are_found(tmp_path):
    publish(tmp_path, 3)
    sign(tmp_path, 3, merkle.root_of([merkle.leaf_hash(entry(i)) for i in range(3)]), [STRANGER])
    (tmp_path / "vkeys").write_bytes(checkpoint.encode_vkeys([STRANGER.key]))
    assert [f.file for f in audit.verify_folder(tmp_path).findings] == ["vkeys"]


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        (lambda i: entry(i) if i != 5 else entry(4), "a tag twice"),
        (lambda i: entry(i) if i != 5 else entry(5)[:-1], "an event of 64 bytes"),
        (lambda i: entry(i) if i != 5 else b"\x02{ }", "a system record that is not canonical"),
        (lambda i: entry(i) if i != 5 else b"\x03" + bytes(64), "an unknown kind"),
        (lambda i: entry(i + 1), "a first entry that founds nothing"),
    ],
)
def test_entries_that_were_signed_but_cannot_stand_are_found(tmp_path, wrong, at):
    publish(tmp_path, 9, entries=wrong)
    assert [f.file for f in audit.verify_folder(tmp_path).findings] == ["tile/entries/000.p/9"]


@pytest.mark.parametrize(("first", "second"), [(3, 3), (3, 300), (256, 300), (256, 512), (300, 70_000)])
def test_what_is_published_continues_a_checkpoint_kept_from_earlier(tmp_path, first, second):
    publish(tmp_path, first)
    kept = (tmp_path / "checkpoint").read_bytes()
    publish(tmp_path, second)
    assert audit.verify_folder(tmp_path, since=kept).ok
    publish(tmp_path / "other", second, entries=lambda i: entry(i if i != 2 else 1_000_002))
    findings = audit.verify_folder(tmp_path / "other", since=kept).findings
    assert [finding.file for finding in findings] == ["checkpoint"]
    assert "kept from earlier" in findings[0].what


def test_a_checkpoint_that_went_back_or_is_of_nobody_is_found(tmp_path):
    publish(tmp_path, 3, 9)
    later = (tmp_path / "checkpoint").read_bytes()
    sign(tmp_path, 3, merkle.root_of([merkle.leaf_hash(entry(i)) for i in range(3)]))
    assert not audit.verify_folder(tmp_path, since=later).ok
    for nobody in (b"", later[:-9], checkpoint.sign(Checkpoint(ORIGIN, 3, bytes(32)), [STRANGER], NOW)):
        assert [f.file for f in audit.verify_folder(tmp_path, since=nobody).findings] == ["checkpoint"]


def test_a_partial_file_that_was_removed_since_is_read_from_its_full_tile(tmp_path):
    """Whoever read the checkpoint just before the publisher went on finds everything (C2SP tlog-tiles, "Partial Tiles")."""
    publish(tmp_path, 200)
    note = (tmp_path / "checkpoint").read_bytes()
    publish(tmp_path, 300)
    for level in ("0", "entries"):
        (tmp_path / f"tile/{level}/000.p/200").unlink()
    (tmp_path / "checkpoint").write_bytes(note)
    fetched = audit.verify_fetched(lambda path: (tmp_path / path).read_bytes() if (tmp_path / path).exists() else None)
    assert fetched.ok, fetched.findings
    assert fetched.size == 200


def test_each_witness_that_is_named_must_have_cosigned(tmp_path):
    publish(tmp_path, 3)
    private = notes.from_seed("Ed25519", b"\x02" * 32)
    key = checkpoint.VerifierKey("witness.example/w1", checkpoint.COSIGNATURE, notes.public_key(private))
    note = (tmp_path / "checkpoint").read_bytes()
    assert [f.file for f in audit.verify_folder(tmp_path, witnesses=[str(key)]).findings] == ["checkpoint"]
    text = note.split(b"\n\n")[0] + b"\n"
    signature = private.sign(b"cosignature/v1\ntime 1795294800\n" + text)
    for time, good in ((1_795_294_800, True), (1_795_294_801, False)):
        payload = base64.b64encode(key.key_id + time.to_bytes(8, "big") + signature).decode()
        (tmp_path / "checkpoint").write_bytes(note + f"\u2014 {key.name} {payload}\n".encode())
        assert audit.verify_folder(tmp_path, witnesses=[str(key)]).ok is good
    with pytest.raises(CheckpointInvalid):
        audit.verify_folder(tmp_path, witnesses=["nonsense"])


def test_memory_does_not_grow_with_the_log(tmp_path):
    """What is held is a way down the tree and a part of the tags, not every leaf: 65,000 of these are 10 megabytes."""
    publish(tmp_path, 65_700)
    tracemalloc.start()
    try:
        assert audit.verify_folder(tmp_path).ok
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
