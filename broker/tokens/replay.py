"""Markers of what may be used once: assertion and proof ids (RFC 7523 §3, RFC 9449 §11.1)."""

from sqlalchemy import text

from broker.database import Tx
from broker.errors import Wire

Marker = tuple[str, bytes, int]  # kind, digest of the id, microseconds until which it is remembered


class Replayed(Wire):
    """Something single-use came a second time; carries the refusal of its kind."""


# fmt: off
REFUSALS = {
    "client_assertion":  ("invalid_client",     "the client assertion was used before", 401),
    "dpop_proof":        ("invalid_dpop_proof", "the DPoP proof was used before",       400),
    "dpop_at_resource":  ("invalid_dpop_proof", "the DPoP proof was used before",       401),
    "actor_token":       ("invalid_request",    "the actor token was used before",      400),
    "backchannel_request": ("invalid_request",   "the signed request was used before",   400),
    "credential_proof":  ("invalid_proof",      "the proof was used before",            400),
}
# fmt: on


_ROW = "(:kind{0}, :id_hash{0}, :expires{0})"
_INSERT = [
    text(
        f"INSERT INTO replay (kind, id_hash, expires) VALUES {', '.join(_ROW.format(n) for n in range(many))} "  # noqa: S608  # no value in it
        "ON CONFLICT DO NOTHING RETURNING kind"
    )
    for many in (1, 2)
]


def spend(tx: Tx, kind: str, id_hash: bytes | None, expires: int) -> None:
    """Remember an id; raises as `spend_all`. `expires` is in microseconds; None is what has no id: a client's secret."""
    spend_all(tx, None if id_hash is None else (kind, id_hash, expires))


def spend_all(tx: Tx, *markers: Marker | None) -> None:
    """Remember what a request uses up, one or two ids of different kinds, in one statement.

    Raises `Replayed` when one of them is known, which undoes the caller's whole act. Kinds are those of `REFUSALS`.
    """
    given = {_stored(marker[0]): marker for marker in markers if marker is not None}
    if not given:
        return
    values: dict[str, str | bytes | int] = {}
    for n, (stored, (_, id_hash, expires)) in enumerate(given.items()):
        values |= {f"kind{n}": stored, f"id_hash{n}": id_hash, f"expires{n}": expires}
    new = set(tx.execute(_INSERT[len(given) - 1], values).scalars())
    for stored, (kind, _, _) in given.items():
        if stored not in new:
            code, description, status = REFUSALS[kind]
            raise Replayed(code, description, status=status)


def _stored(kind: str) -> str:
    return "dpop_proof" if kind == "dpop_at_resource" else kind
