"""Markers of what may be used once: assertion and proof ids (RFC 7523 §3, RFC 9449 §11.1)."""

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from broker.database import Tx
from broker.errors import Wire
from broker.tables import replay


class Replayed(Wire):
    """Something single-use came a second time; carries the refusal of its kind."""


# fmt: off
REFUSALS = {
    "client_assertion":  ("invalid_client",     "the client assertion was used before", 401),
    "dpop_proof":        ("invalid_dpop_proof", "the DPoP proof was used before",       400),
    "dpop_at_resource":  ("invalid_dpop_proof", "the DPoP proof was used before",       401),
    "credential_proof":  ("invalid_proof",      "the proof was used before",            400),
}
# fmt: on


def spend(tx: Tx, kind: str, id_hash: bytes | None, expires: int) -> None:
    """Remember an id in one statement; raise `Replayed` when it is known, which undoes the caller's whole act.

    `expires` is in microseconds. Kinds are those of `REFUSALS`. None is what has no id: a client that used a secret.
    """
    if id_hash is None:
        return
    stored = "dpop_proof" if kind == "dpop_at_resource" else kind
    try:
        tx.execute(insert(replay).values(kind=stored, id_hash=id_hash, expires=expires))
    except IntegrityError as known:
        code, description, status = REFUSALS[kind]
        raise Replayed(code, description, status=status) from known
