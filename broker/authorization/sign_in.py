"""Signing in and nothing else: what a client asks for that names no use of its own (OpenID Connect Core §5.4, §5.5).

The words of the scope and single claims stand for items of the person's account, as far as the client registered the words.
Everything else is as for any use: the person sees the values, a permission is given, each handing over is entered.
"""

from collections.abc import Mapping
from typing import cast

from broker.authorization.request import Unchecked
from broker.clients import web_address
from broker.clients.metadata import ClientMetadata
from broker.clients.registry import Registry
from consent import request as data_request
from consent.declarations import LANGUAGES
from consent.intended_use import SIGN_IN, IntendedUse, Uses
from consent.request import DataRequest, RequestedItem
from consent.sign_in import Party, SignIn


def asks(asked: Unchecked, scope: tuple[str, ...]) -> bool:
    """Whether a request is for a sign-in alone: it names neither a use nor an item of the catalogue, in no spelling."""
    built_in = asked.uses.sign_in
    if built_in is None or "authorization_details" in asked.parameters:
        return False
    return not any(data_request.spells(word, asked.uses) and word not in built_in.words for word in scope)


def data(asked: Unchecked, scope: tuple[str, ...]) -> tuple[DataRequest, tuple[str, ...]]:
    """Return what is asked of the account, and the scope that is granted: the words that the client registered.

    What the scope stands for and what is essential is asked as a whole; a single claim without that may be left out by the person.
    """
    built_in = cast("SignIn", asked.uses.sign_in)
    words = [word for word in built_in.words if word in asked.client.scope.split()]
    may = {claim: item for word in words for claim, item in built_in.words[word].items()}
    wanted = {item: True for word in words if word in scope for item in built_in.words[word].values()}
    for claim, essential in asked.claims.essential.items():
        if claim in may:
            wanted[may[claim]] = wanted.get(may[claim], False) or essential
    use = built_in.template
    items = tuple(RequestedItem(item, wanted[item]) for item in use.item_ids if item in wanted)
    return DataRequest(use.id, use.version, items, "ongoing"), ("openid", *(word for word in scope if word in words))


def use_of(
    uses: Uses, registry: Registry, client_id: str, use_id: str, version: int, *, redirect_uri: str = ""
) -> IntendedUse:
    """Return a version of a use as its client asks under it. Raises `consent.errors.UnknownUse`.

    `redirect_uri` is where the request at hand goes back to, so that its host is the one that people are told.
    """
    use = uses.version(use_id, version)
    client = registry.get(client_id) if use_id == SIGN_IN else None
    return use if client is None or uses.sign_in is None else uses.sign_in.use(_party(client, redirect_uri))


def _party(client: ClientMetadata, redirect_uri: str) -> Party:
    """Say who asks; without a redirect URI of the request every host is told at which answers may end, for all are the client's word."""
    address = redirect_uri or next(iter(client.redirect_uris), f"https://{client.client_id}")
    home = client.client_uri or web_address.origin(address) + "/"
    return Party(
        client_id=client.client_id,
        name=_names(client),
        domain=web_address.parse(redirect_uri).netloc if redirect_uri else ", ".join(client.answers_at),
        url=home,
        contact=client.contact or home,
    )


def _names(client: ClientMetadata) -> Mapping[str, str]:
    return {language: client.name(language) for language in LANGUAGES}
