"""Resource indicators: one audience, registered and granted, character for character (RFC 8707 §2)."""

import pytest

from broker.authorization import resource
from broker.errors import Wire
from tests.broker.relying import ISSUER, Key, client

ONE, TWO, OTHER = "https://api.norr.example/", "https://files.norr.example/v1", "https://api.other.example/"
CLIENT = client(Key(), calls=[ONE, TWO])

# fmt: off
CHOSEN: list[tuple[tuple[str, ...], tuple[str, ...], str]] = [
    ((),       (),            ISSUER),
    ((ISSUER,), (),           ISSUER),
    ((),       (ISSUER, ONE), ISSUER),
    ((ONE,),   (ISSUER, ONE), ONE),
    ((),       (TWO,),        TWO),
    ((TWO, TWO), (ONE, TWO),  TWO),
]
REFUSED: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("RFC 8707 §2 unknown",           (OTHER,),            (OTHER,)),
    ("RFC 8707 §2 fragment",          (f"{ONE}#a",),       (ONE,)),
    ("RFC 8707 §2 relative",          ("/",),              (ONE,)),
    ("RFC 8707 §2 no slash",          (ONE[:-1],),         (ONE,)),
    ("RFC 8707 §2 query",             (f"{ONE}?a=b",),     (ONE,)),
    ("RFC 8707 §2.2 broader",         (TWO,),              (ONE,)),
    ("RFC 8707 §2.2 never granted",   (ONE,),              ()),
    ("RFC 8707 §2.2 not this server", (ISSUER,),           (ONE,)),
    ("RFC 8707 §2.2 two at once",     (ONE, TWO),          (ONE, TWO)),
    ("RFC 8707 §2.2 beside the data", (ISSUER, ONE),       (ISSUER, ONE)),
    ("RFC 8707 §2.2 which of two",    (),                  (ONE, TWO)),
    ("RFC 8707 §2 one of two unknown", (ONE, OTHER),       (ONE,)),
]
# fmt: on


@pytest.mark.parametrize(("named", "granted", "chosen"), CHOSEN)
def test_chosen(named: tuple[str, ...], granted: tuple[str, ...], chosen: str) -> None:
    assert resource.audience(CLIENT, ISSUER, named, granted) == chosen


@pytest.mark.parametrize(("named", "granted"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(named: tuple[str, ...], granted: tuple[str, ...]) -> None:
    with pytest.raises(Wire) as refused:
        resource.audience(CLIENT, ISSUER, named, granted)
    assert (refused.value.refusal.code, refused.value.refusal.status) == ("invalid_target", 400)
