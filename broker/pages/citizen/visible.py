"""What a sign-in asks for that can be seen: nobody agrees to an item that is not on the screen (ISO/IEC 29184 §5.3).

A website asks for whole words of a scope, and most accounts hold a part of them. What is not there is not asked for, so it
is not shown, not given and not sent when it is added later: it is then asked for at the next sign-in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from broker.evidence.source import Found
from broker.pages.citizen.visit import Visit
from consent.intended_use import SIGN_IN
from consent.permission import Permission


def hidden(visit: Visit, live: Permission | None) -> bool:
    """Whether a sign-in asks for more than is given already, so that it matters what the account holds."""
    return visit.use.id == SIGN_IN and not set(visit.journey.request.data.item_ids) <= _given(live)


def narrowed(visit: Visit, live: Permission | None, found: Mapping[str, Found]) -> Visit:
    """Cut the visit's request down to what is given already and what the account holds, or may hold while it does not answer."""
    request, given = visit.journey.request, _given(live)
    seen = tuple(item for item in request.data.items if item.id in given or _is_there(found.get(item.id)))
    asked = replace(request, data=replace(request.data, items=seen))
    return replace(visit, journey=replace(visit.journey, request=asked))


def _given(live: Permission | None) -> set[str]:
    return set() if live is None else set(live.items)


def _is_there(one: Found | None) -> bool:
    return one is not None and one.status != "not_held"
