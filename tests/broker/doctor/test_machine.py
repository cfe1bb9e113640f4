"""What the doctor sees of the machine and of TLS: real files, a real handshake."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from broker.doctor import handshake, machine
from broker.doctor.facts import Handshake
from broker.settings import Settings
from tests import machine_clock
from tests.broker.test_egress import answers, authority, ok, served

MOUNTS = """overlay / overlay rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/sda1 /srv ext4 rw 0 0
srv:/export /srv/shared\\040data nfs4 rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv/semel", "ext4"),
        ("/srv", "ext4"),
        ("/srvx", "overlay"),
        ("/run/semel/data", "tmpfs"),
        ("/srv/shared data/semel", "nfs4"),
        ("/home", "overlay"),
    ],
)
def test_the_file_system_below_a_folder(folder: str, kind: str) -> None:
    assert machine.filesystem(Path(folder), MOUNTS) == kind


def test_the_machine_is_looked_at(tmp_path: Path) -> None:
    data, keys = tmp_path / "data", tmp_path / "data" / "person-keys"
    keys.mkdir(parents=True, mode=0o700)
    for path, mode in ((data / "key-encryption-key", 0o600), (keys / "2026-11", 0o640), (data / "semel.db", 0o644)):
        path.write_text("x")
        path.chmod(mode)
    seen = machine.look(Settings(issuer="https://id.example", data_dir=data, config_dir=tmp_path))
    modes = {Path(file.path).name: file.mode for file in seen.files}
    assert modes == {"key-encryption-key": 0o600, "person-keys": 0o700, "2026-11": 0o640, "semel.db": 0o644}
    assert all(file.ours for file in seen.files)
    assert len(seen.flushes) == machine.FLUSHES
    assert 0 < seen.free <= seen.total
    assert sorted(path.name for path in data.iterdir()) == ["key-encryption-key", "person-keys", "semel.db"]


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    seen = machine.look(Settings(issuer="https://id.example", data_dir=tmp_path / "a" / "b", config_dir=tmp_path))
    assert (seen.flushes, seen.files) == ((), ())
    assert not (tmp_path / "a").exists()


def test_secrets_shown_to_registers_are_files_too(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "tax.toml").write_text('client_secret_file = "tax-secret"\n')
    (tmp_path / "sources" / "broken.toml").write_text("=")
    (tmp_path / "sources" / "tax-secret").write_text("s")
    seen = machine.look(Settings(issuer="https://id.example", data_dir=tmp_path / "data", config_dir=tmp_path))
    assert [Path(file.path).name for file in seen.files] == ["tax-secret"]


def shaken(tmp_path: Path, *, suites: str = "", ca: bool = True, host: str = "localhost") -> Handshake:
    pem, context = authority(tmp_path, host="localhost")
    if suites:
        context.set_ciphers(suites)

    async def run() -> Handshake:
        async with served(answers(ok(b"{}")), context) as there:
            return await handshake.look(host, there.port, pem if ca else None, machine_clock.seconds())

    return asyncio.run(run())


def test_a_server_that_agrees_to_good_suites_only(tmp_path: Path) -> None:
    seen = shaken(tmp_path, suites="ECDHE+AESGCM")
    assert (seen.problem, seen.weak) == (None, None)
    assert seen.version.startswith("TLSv1.3")
    assert 1.9 < seen.days_left < 2.1


def test_a_server_that_agrees_to_weak_ones_too(tmp_path: Path) -> None:
    seen = shaken(tmp_path, suites="ECDHE+AESGCM:ECDHE+AES")
    assert seen.problem is None
    assert str(seen.weak).startswith("TLSv1.2 with ECDHE-ECDSA-AES")


def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    assert "self" in str(shaken(tmp_path, ca=False).problem)


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    assert "mismatch" in str(shaken(tmp_path, host="127.0.0.1").problem).lower()


def test_no_tls_and_nobody_there(tmp_path: Path) -> None:
    async def run() -> list[str | None]:
        async with served(answers(b"HTTP/1.1 400 Bad\r\n\r\n")) as there:
            plain = await handshake.look("localhost", there.port, None, 0.0)
        gone = await handshake.look("localhost", 1, None, 0.0)
        return [plain.problem, gone.problem]

    plain, gone = asyncio.run(run())
    assert plain is not None
    assert gone == "nobody answers"


def test_the_clock_is_asked() -> None:
    synchronised, error = machine._clock()
    assert synchronised in {True, False, None}
    assert error >= 0
    assert ssl.HAS_TLSv1_3
