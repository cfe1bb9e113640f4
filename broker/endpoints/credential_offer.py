"""The credential offer by reference: what the QR code's address answers (OpenID4VCI 1.0 §4.1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from broker import needs
from broker.answers import Json, Refusal
from broker.database import Tx
from wallet import offer

PATH = "/offers/{id}"
MAX_ID = 64
WHERE = "The six digits shown in your account after a new one-time code."


@dataclass(frozen=True)
class Facts:
    """The id in the address, and who we are."""

    offer_id: str = field(repr=False)
    issuer: str


async def gather(request: Request) -> Facts:
    """Take the offer's id from the address."""
    return Facts(str(request.path_params["id"])[:MAX_ID], needs.parts(request).issuer)


def act(tx: Tx, facts: Facts, now: int) -> Json | Refusal:
    """Answer the offer while it can be taken up; afterwards, and for an unknown id, 404."""
    found = offer.by_id(tx, facts.offer_id, now=now)
    if found is None:
        return Refusal("not_found", "there is no such offer, or it is over", status=404)
    document = offer.document(found, facts.offer_id, issuer=facts.issuer, description=WHERE)
    return Json(document, headers={"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"})
