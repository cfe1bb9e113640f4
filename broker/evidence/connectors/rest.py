"""Connector `rest`: a register that answers JSON over HTTPS to a client it knows (RFC 6749 §4.4 client credentials)."""

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote_plus, urlencode

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from broker.egress import Egress, EgressRefused, Reply
from broker.evidence.answer import Malformed, day, sealed
from broker.evidence.source import Check, Evidence, Found, Phase, SourceUnavailable, Subject, without_value
from consent.declarations import Declared, Id
from keys import canonical
from keys.errors import KeysError

JSON = ("application/json",)
MAX_BYTES = 262_144
EARLY_SECONDS = 15.0

Member = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,62}$")]


class Declaration(Declared):
    """`openid-config/sources/<id>.toml` with `connector = "rest"`. `seconds`: for token and answer together.

    `client_secret_file` may be relative to the source's own file.
    """

    connector: Literal["rest"]
    url: str
    token_url: str
    client_id: str
    client_secret_file: str
    scope: str | None = None
    seconds: float = Field(default=5.0, gt=0, le=7.0)
    attributes: dict[Id, Member]


class _Lenient(Declared):
    """What a register sends; it may say more than we asked for."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


T = TypeVar("T", bound=_Lenient)


class _Token(_Lenient):
    access_token: str = Field(min_length=1, max_length=8192, pattern=r"^[A-Za-z0-9._~+/=-]+$", repr=False)
    token_type: str
    expires_in: int = Field(default=60, ge=0)


class _Item(_Lenient):
    status: Literal["provided", "not_held", "not_applicable", "withheld"]
    value: Any = Field(default=None, repr=False)
    as_of: str | None = None


class _Answer(_Lenient):
    eligible: bool = True
    items: dict[str, _Item]


class RestSource:
    """Asks by POST, so that no person's number stands in a URL; keeps the register's access token while it lasts."""

    def __init__(self, path: Path, declared: Declaration, check: Check, egress: Egress) -> None:
        self._name, self._declared, self._check, self._egress = path.stem, declared, check, egress
        self._secret_file = path.parent / declared.client_secret_file
        self._token: tuple[str, float] | None = None
        self._getting = asyncio.Lock()

    @property
    def id(self) -> str:
        """The file's name."""
        return self._name

    async def fetch(
        self, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
    ) -> Evidence:
        """One question for all the attributes. Raises SourceUnavailable with the guard's or the protocol's own word."""
        if subject.person_number is None:
            return Evidence(without_value(sorted(attributes), "not_held", self.id, now))
        question = {
            "person_number": subject.person_number,
            "items": sorted(self._declared.attributes[attribute] for attribute in attributes),
            "phase": phase,
            "reference": reference,
        }
        end = asyncio.get_running_loop().time() + self._declared.seconds
        try:
            reply = await self._ask(canonical.dumps(question), end)
        except EgressRefused as refused:
            raise SourceUnavailable(refused.reason) from None
        if reply.status == 404:
            return Evidence(without_value(sorted(attributes), "not_held", self.id, now))
        if reply.status != 200:
            raise SourceUnavailable(f"status {reply.status}")
        answer = _parse(reply, _Answer)
        if not answer.eligible:
            return Evidence(without_value(sorted(attributes), "not_held", self.id, now), eligible=False)
        return Evidence(self._found(attribute, answer.items, now) for attribute in sorted(attributes))

    async def aclose(self) -> None:
        """Forget the token; the connections are the guard's."""
        self._token = None

    async def _ask(self, question: bytes, end: float) -> Reply:
        for again in (True, False):
            token = await self._access_token(end)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            reply = await self._egress.request(
                "POST",
                self._declared.url,
                headers,
                question,
                max_bytes=MAX_BYTES,
                timeout=_left(end),
                media_types=JSON,
            )
            if reply.status != 401 or not again:
                return reply
            self._token = None  # it was ended before its time: one fresh one, no more
        raise AssertionError("two rounds are all")

    async def _access_token(self, end: float) -> str:
        async with self._getting:
            clock = asyncio.get_running_loop().time
            if self._token is not None and clock() < self._token[1]:
                return self._token[0]
            form = {"grant_type": "client_credentials"} | (
                {"scope": self._declared.scope} if self._declared.scope else {}
            )
            reply = await self._egress.request(
                "POST",
                self._declared.token_url,
                {"Authorization": self._basic(), "Content-Type": "application/x-www-form-urlencoded"},
                urlencode(form).encode(),
                timeout=_left(end),
                media_types=JSON,
            )
            if reply.status != 200:
                raise SourceUnavailable("token refused")
            token = _parse(reply, _Token)
            if token.token_type.lower() != "bearer":
                raise SourceUnavailable("token type")
            self._token = token.access_token, clock() + max(token.expires_in - EARLY_SECONDS, 0.0)
            return token.access_token

    def _basic(self) -> str:
        """The client's credentials (RFC 6749 §2.3.1), from the file as it is now: a new secret needs no restart."""
        try:
            secret = self._secret_file.read_text("utf-8").strip()
        except (OSError, ValueError):
            raise SourceUnavailable("no client secret") from None
        pair = f"{quote_plus(self._declared.client_id)}:{quote_plus(secret)}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def _found(self, attribute: str, items: Mapping[str, _Item], now: int) -> Found:
        item = items.get(self._declared.attributes[attribute])
        try:
            as_of = day(item.as_of, now) if item is not None else None
        except Malformed:
            item, as_of = None, None
        if item is None or (item.status == "provided" and item.value is None):
            return Found(attribute, "source_unavailable", None, self.id, None, now)
        if item.status != "provided":
            return Found(attribute, item.status, None, self.id, None if item.status == "withheld" else as_of, now)
        value = item.value
        return sealed(attribute, lambda: value, check=self._check, source=self.id, as_of=as_of, now=now)


def _left(end: float) -> float:
    return max(end - asyncio.get_running_loop().time(), 0.001)


def _parse(reply: Reply, shape: type[T]) -> T:
    try:
        return shape.model_validate(canonical.loads(reply.content))
    except (KeysError, ValidationError):
        raise SourceUnavailable("malformed") from None
