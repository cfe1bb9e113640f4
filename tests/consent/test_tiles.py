"""Tile paths, widths and bytes (C2SP tlog-tiles), the three-entry vector among them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import merkle, tiles
from consent.errors import TileInvalid
from consent.tiles import Tile

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "semel-ledger-three-entries.json").read_text())
ENTRIES = [entry.encode() for entry in VECTOR["entries"]]


def test_the_three_entry_log_byte_for_byte():
    hashes = [merkle.leaf_hash(entry) for entry in ENTRIES]
    assert tiles.encode_entries(ENTRIES).hex() == VECTOR["bundle"]
    assert tiles.encode_hashes(hashes).hex() == VECTOR["tile"]
    assert merkle.root_of(hashes).hex() == VECTOR["root"]
    assert tiles.decode_entries(bytes.fromhex(VECTOR["bundle"]), 3) == ENTRIES
    assert tiles.decode_hashes(bytes.fromhex(VECTOR["tile"]), 3) == hashes
    assert [t.path for t in tiles.for_size(3)] == ["tile/entries/000.p/3", "tile/0/000.p/3"]


def test_the_files_of_a_log_of_70000():
    paths = [t.path for t in tiles.for_size(70_000)]
    entries = [f"tile/entries/{i:03d}" for i in range(273)] + ["tile/entries/273.p/112"]
    level0 = [f"tile/0/{i:03d}" for i in range(273)] + ["tile/0/273.p/112"]
    assert paths == [*entries, *level0, "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert [t.path for t in tiles.for_size(70_000, since=69_900)] == [
        *("tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1")
    ]


def test_a_full_tile_has_no_partial_and_an_empty_one_no_file():
    assert [t.path for t in tiles.for_size(256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert list(tiles.for_size(0)) == []


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile("entries", 0, 1), "tile/entries/000.p/1"),
        (Tile(5, 999), "tile/5/999"),
        (Tile(5, 1000), "tile/5/x001/000"),
    ],
)
def test_paths(tile, path):
    assert tile.path == path
    assert tiles.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/00", "tile/0/0000", "tile/0/x000/001", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/256"),
        *(
            "tile/0/000.p/300",
            "tile/0/000.p/01",
            "tile/0/../../checkpoint",
            "tile/0/000/",
            "/tile/0/000",
            "tile/-1/000",
        ),
        *(
            "tile/0/000\n",
            "tile/0/\u0660\u0660\u0660",
            "checkpoint",
            "",
            "tile/entries/x001",
            "tile/64/000 ",
            "tile/0/000.p/",
            "tile/a/000",
        ),
    ],
)
def test_other_paths_name_nothing(path):
    assert tiles.parse(path) is None


@given(st.one_of(st.just("entries"), st.integers(0, 63)), st.integers(0, 10**12), st.integers(1, 256))
def test_parse_and_path_are_inverse(level, index, width):
    tile = Tile(level, index, width)
    assert tiles.parse(tile.path) == tile


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_are_read_back(entries):
    assert tiles.decode_entries(tiles.encode_entries(entries), len(entries)) == entries


@pytest.mark.parametrize(
    ("data", "width"), [(b"\x00", 1), (b"\x00\x02a", 1), (b"\x00\x01a\x00", 1), (b"\x00\x01a", 2), (b"\x00\x01a", 0)]
)
def test_damaged_bundles_are_refused(data, width):
    with pytest.raises(TileInvalid):
        tiles.decode_entries(data, width)


def test_sizes_are_held():
    with pytest.raises(TileInvalid):
        tiles.encode_entries([bytes(65_536)])
    with pytest.raises(TileInvalid):
        tiles.decode_hashes(bytes(33), 1)
