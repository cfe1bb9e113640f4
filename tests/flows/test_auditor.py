"""An auditor believes nothing: the ledger is verified from what is published, and an agency's receipt is found in it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.actors import check_receipt, unb64
from tests.world import World

SEMEL = Path(sys.executable).with_name("semel")


def verify(source: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SEMEL, "ledger", "verify", str(source)], capture_output=True, text=True, check=False)


def bundle(world: World, seq: int) -> bytes:
    """The published entries around a number: two bytes of length before each (C2SP tlog-tiles)."""
    folder = world.data / "ledger" / "tile" / "entries"
    whole = folder / f"{seq // 256:03}"
    if whole.is_file():
        return whole.read_bytes()
    parts = folder / f"{seq // 256:03}.p"
    return max(parts.iterdir(), key=lambda part: int(part.name)).read_bytes()


def leaves(data: bytes) -> list[bytes]:
    found = []
    while data:
        length = int.from_bytes(data[:2])
        found.append(data[2 : 2 + length])
        data = data[2 + length :]
    return found


def test_the_receipt_is_in_the_published_ledger(world: World) -> None:
    person, agency = world.neighbour(), world.agency()
    agency.items(agency.token(person.shares(person.comes_from(agency.asks())))["access_token"])
    answer = world.answers[-1]
    world.check()
    receipt = answer["ledger"]
    assert leaves(bundle(world, receipt["seq"]))[receipt["seq"] % 256] == unb64(receipt["leaf"])
    check_receipt(receipt, "norr-childcare")
    said = json.loads(receipt["body"])
    assert (said["type"], said["permission"]) == ("access.released", answer["grant_id"])
    assert person.person["id"] not in receipt["body"]


def test_from_the_address_and_from_a_copy(world: World, tmp_path: Path) -> None:
    person, agency = world.neighbour(), world.agency()
    agency.token(person.shares(person.comes_from(agency.asks())))
    world.check()
    online = verify(f"{world.issuer}/ledger")
    assert online.returncode == 0, online.stdout + online.stderr
    copy = tmp_path / "ledger"
    shutil.copytree(world.data / "ledger", copy)
    file = max(path for path in copy.glob("tile/entries/**/*") if path.is_file())
    kept = file.read_bytes()
    file.write_bytes(kept[:-9] + bytes([kept[-9] ^ 1]) + kept[-8:])
    spoiled = verify(copy)
    assert spoiled.returncode == 1
    assert file.relative_to(copy).as_posix() in spoiled.stdout + spoiled.stderr
