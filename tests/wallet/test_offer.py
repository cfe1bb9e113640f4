"""Offers: who may open them, how a transaction code is tried, and that each step happens once (OpenID4VCI 1.0 §4, §6)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import zxingcpp
from sqlalchemy import select

from broker.database import Database
from keys.keyring import RootKeyring, SealingRing
from keys.vault import Vault
from tests.wallet.conftest import ISSUER
from wallet import nonce, offer
from wallet.errors import InvalidNonce
from wallet.tables import credential_offer

SECOND = 1_000_000
DATA_KEY = b"d" * 32
HELD = {"person_id": "0197f3c2-0000-7000-8000-00000000000a"}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "person-keys")


@pytest.fixture(scope="module")
def pepper() -> SealingRing:
    return RootKeyring.generate().ring("pepper")


@pytest.fixture
def offer_id(database: Database, vault: Vault, now: int) -> str:
    with database.write() as tx:
        offer.make(
            tx, vault, permission_id="p-1", configuration="residence", lookup=b"l", held=HELD, data_key=DATA_KEY,
            now=now, expires=now + 600 * SECOND,
        )  # fmt: skip
        found = offer.for_person(tx, "p-1", DATA_KEY, now=now)
    assert found is not None
    return found[1]


@pytest.fixture
def coded(database: Database, pepper: SealingRing, offer_id: str, now: int) -> tuple[str, str]:
    with database.write() as tx:
        digits = offer.new_tx_code(tx, pepper, "p-1", now=now)
    assert digits is not None
    assert re.fullmatch("[0-9]{6}", digits)
    return offer.code_of(offer_id), digits


def wrong(digits: str) -> str:
    return f"{(int(digits) + 1) % 1_000_000:06d}"


def test_nothing_in_the_row_opens_it(database: Database, offer_id: str) -> None:
    with database.read() as tx:
        row = tx.execute(select(credential_offer)).one()
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
    for secret in (offer_id, offer.code_of(offer_id), HELD["person_id"]):
        assert secret.encode() not in stored


def test_only_the_person_finds_the_id_again(database: Database, offer_id: str, now: int) -> None:
    with database.read() as tx:
        assert offer.for_person(tx, "p-1", b"e" * 32, now=now) is None
        assert offer.for_person(tx, "p-2", DATA_KEY, now=now) is None


def test_the_code_leads_to_the_person_only_in_time(database: Database, vault: Vault, offer_id: str, now: int) -> None:
    code = offer.code_of(offer_id)
    with database.read() as tx:
        found = offer.by_code(tx, vault, code, now=now)
        assert found is not None
        assert found.held == HELD
        assert offer.by_code(tx, vault, code, now=now + 600 * SECOND) is None
        assert offer.by_code(tx, vault, offer_id, now=now) is None
        assert offer.by_id(tx, code, now=now) is None
        assert offer.by_id(tx, offer_id, now=now + 600 * SECOND) is None


def test_a_destroyed_day_opens_nothing(database: Database, vault: Vault, offer_id: str, now: int) -> None:
    vault.sweep(now + 3 * 86_400 * SECOND)
    with database.read() as tx:
        assert offer.by_code(tx, vault, offer.code_of(offer_id), now=now) is None


def test_n18_five_wrong_tries_kill_the_offer(
    database: Database, pepper: SealingRing, coded: tuple[str, str], now: int
) -> None:
    code, digits = coded
    for _ in range(5):
        with database.write() as tx:
            assert not offer.try_tx_code(tx, pepper, code, wrong(digits), now=now)
    with database.write() as tx:
        assert not offer.try_tx_code(tx, pepper, code, digits, now=now)
        assert offer.new_tx_code(tx, pepper, "p-1", now=now) is None


def test_the_fifth_try_may_be_the_right_one(
    database: Database, pepper: SealingRing, coded: tuple[str, str], now: int
) -> None:
    code, digits = coded
    for _ in range(4):
        with database.write() as tx:
            offer.try_tx_code(tx, pepper, code, wrong(digits), now=now)
    with database.write() as tx:
        assert offer.try_tx_code(tx, pepper, code, digits, now=now)


def test_a_new_transaction_code_replaces_the_old_and_forgives_nothing(
    database: Database, pepper: SealingRing, coded: tuple[str, str], now: int
) -> None:
    code, old = coded
    with database.write() as tx:
        for _ in range(4):
            offer.try_tx_code(tx, pepper, code, wrong(old), now=now)
        new = offer.new_tx_code(tx, pepper, "p-1", now=now)
        assert new is not None
        if new != old:
            assert not offer.try_tx_code(tx, pepper, code, old, now=now)
            assert not offer.try_tx_code(tx, pepper, code, new, now=now)


def test_n18_no_try_before_there_is_a_code(database: Database, pepper: SealingRing, offer_id: str, now: int) -> None:
    with database.write() as tx:
        assert not offer.try_tx_code(tx, pepper, offer.code_of(offer_id), "000000", now=now)


def test_n17_redeemed_once(
    database: Database, vault: Vault, coded: tuple[str, str], pepper: SealingRing, now: int
) -> None:
    code, digits = coded
    later = now + 300 * SECOND
    with database.write() as tx:
        assert offer.redeem(tx, vault, code, HELD, access_token="t" * 40, now=now, expires=later)
    with database.write() as tx:
        assert not offer.redeem(tx, vault, code, HELD, access_token="u" * 40, now=now, expires=later)
        assert not offer.try_tx_code(tx, pepper, code, digits, now=now)
        assert offer.by_code(tx, vault, code, now=now) is None
        found = offer.by_token(tx, vault, "t" * 40, now=now)
        assert found is not None
        assert (found.held, found.offer.state) == (HELD, "redeemed")
        assert offer.by_token(tx, vault, "t" * 40, now=later) is None
        assert offer.for_person(tx, "p-1", DATA_KEY, now=now) is None


def test_n17_not_redeemed_after_its_time(database: Database, vault: Vault, coded: tuple[str, str], now: int) -> None:
    late = now + 600 * SECOND
    with database.write() as tx:
        assert not offer.redeem(tx, vault, coded[0], HELD, access_token="t" * 40, now=late, expires=late + SECOND)


def test_issued_once(database: Database, vault: Vault, coded: tuple[str, str], now: int) -> None:
    with database.write() as tx:
        assert not offer.issued(tx, "p-1", now=now)
        offer.redeem(tx, vault, coded[0], HELD, access_token="t" * 40, now=now, expires=now + 300 * SECOND)
        assert offer.issued(tx, "p-1", now=now)
        assert not offer.issued(tx, "p-1", now=now)


def test_a_waiting_offer_is_found_again(database: Database, coded: tuple[str, str], vault: Vault, now: int) -> None:
    with database.write() as tx:
        assert offer.waiting(tx, b"l", now=now) == "p-1"
        assert offer.waiting(tx, b"m", now=now) is None
        assert offer.waiting(tx, b"l", now=now + 600 * SECOND) is None
        offer.redeem(tx, vault, coded[0], HELD, access_token="t" * 40, now=now, expires=now + 300 * SECOND)
        assert offer.waiting(tx, b"l", now=now) is None


def test_swept_when_over(database: Database, offer_id: str, now: int) -> None:
    with database.write() as tx:
        assert offer.sweep(tx, now=now) == 0
        assert offer.sweep(tx, now=now + 600 * SECOND) == 1


def test_the_document_holds_nothing_about_the_person(database: Database, offer_id: str, now: int) -> None:
    with database.read() as tx:
        found = offer.by_id(tx, offer_id, now=now)
    assert found is not None
    made = offer.document(found, offer_id, issuer=ISSUER, description="See your account")
    assert made == {
        "credential_issuer": ISSUER,
        "credential_configuration_ids": ["residence"],
        "grants": {
            "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
                "pre-authorized_code": offer.code_of(offer_id),
                "tx_code": {"input_mode": "numeric", "length": 6, "description": "See your account"},
            }
        },
    }


def test_a_camera_reads_the_qr_code() -> None:
    text = offer.link("http://localhost:8000", "q" * 43)
    assert parse_qs(urlsplit(text).query) == {"credential_offer_uri": [f"http://localhost:8000/offers/{'q' * 43}"]}
    assert seen(offer.qr_code(text)) == text


def seen(svg: bytes) -> str:
    """Paint the image's modules and let a scanner read them."""
    root = ET.fromstring(svg)
    side = int(root.attrib["viewBox"].split()[2])
    path = root[0].attrib["d"]
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+),(\d+)H", path)}
    rows = [bytes(0 if (x // 8, y // 8) in dark else 255 for x in range(side * 8)) for y in range(side * 8)]
    (code,) = zxingcpp.read_barcodes(memoryview(b"".join(rows)).cast("B", shape=[side * 8, side * 8]))
    return str(code.text)


def test_sixteen_at_once_redeem_once(
    database: Database, database_url: str, vault: Vault, coded: tuple[str, str], pepper: SealingRing, now: int
) -> None:
    code, digits = coded
    doors = [Database.open(database_url) for _ in range(4)] if database.dialect == "postgresql" else [database]

    def attempt(number: int) -> bool:
        with doors[number % len(doors)].write() as tx:
            return offer.try_tx_code(tx, pepper, code, digits, now=now) and offer.redeem(
                tx, vault, code, HELD, access_token=f"{number:040d}", now=now, expires=now + 300 * SECOND
            )

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(16))) == 1
    for door in doors:
        if door is not database:
            door.close()


def test_four_at_once_spend_a_nonce_once(database: Database, database_url: str, now: int) -> None:
    doors = [Database.open(database_url) for _ in range(4)] if database.dialect == "postgresql" else [database]

    def attempt(number: int) -> bool:
        try:
            with doors[number % len(doors)].write() as tx:
                nonce.spend(tx, "n", expires=now + SECOND)
        except InvalidNonce:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(16))) == 1
    for door in doors:
        if door is not database:
            door.close()
