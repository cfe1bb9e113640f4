"""What a client registers: metadata under its registered names, and our few beside them (RFC 7591 §2, OpenID Registration §2)."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from broker.clients import web_address

CLIENT_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
TAGGED = ("client_name", "client_uri", "policy_uri", "tos_uri", "logo_uri")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_PLACEHOLDER = "${"
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

SigningAlg = Literal["ES256", "PS256", "EdDSA", "Ed25519"]


def _address(value: str) -> str:
    web_address.parse(value)
    return value


def _name(value: str) -> str:
    if _UNSEEN.search(value):
        raise ValueError("a name has no control, invisible or direction characters")
    return value


Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]


class ClientMetadata(BaseModel):
    """One client as registered: frozen, unknown members are errors; wording in other languages as `client_name#ar`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    client_id: Annotated[str, Field(pattern=f"^{CLIENT_ID.pattern}$")]
    client_name: Name
    client_uri: Address | None = None
    logo_uri: Address | None = None
    policy_uri: Address | None = None
    tos_uri: Address | None = None
    contacts: tuple[Annotated[str, Field(max_length=254)], ...] = ()
    application_type: Literal["web", "native"] = "web"
    redirect_uris: Annotated[tuple[Address, ...], Field(max_length=50)] = ()
    post_logout_redirect_uris: Annotated[tuple[Address, ...], Field(max_length=50)] = ()
    response_types: tuple[Literal["code"], ...] = ("code",)
    grant_types: tuple[Annotated[str, Field(max_length=100)], ...] = ("authorization_code",)
    scope: Annotated[str, Field(max_length=4000)] = "openid"
    token_endpoint_auth_method: Literal["private_key_jwt"] = "private_key_jwt"  # noqa: S105  # an RFC 7591 name, no secret
    token_endpoint_auth_signing_alg: SigningAlg = "ES256"  # noqa: S105  # as above
    id_token_signed_response_alg: Literal["ES256", "PS256", "EdDSA"] = "ES256"  # noqa: S105  # as above
    jwks: Mapping[str, Any] | None = None
    jwks_uri: Address | None = None
    subject_type: Literal["pairwise"] = "pairwise"
    default_acr_values: tuple[str, ...] = ()
    default_max_age: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    require_auth_time: bool = False
    require_pushed_authorization_requests: Literal[True] = True
    dpop_bound_access_tokens: Literal[True] = True
    # ours
    profile: Literal["fapi2"] = "fapi2"
    sector: Annotated[str, Field(pattern=r"^[a-z0-9.:-]{1,253}$")] | None = None
    serves: Annotated[tuple[Address, ...], Field(max_length=20)] = ()  # resources that are this client's own (RFC 8707 §2)
    calls: Annotated[tuple[Address, ...], Field(max_length=20)] = ()  # other servers' resources it may ask tokens for
    disabled: bool = False
    wordings: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_wordings(cls, declared: Any) -> Any:
        """Collect `name#language` members (RFC 7591 §2.2) and turn lists into tuples; refuse unfilled placeholders."""
        if not isinstance(declared, Mapping) or "wordings" in declared:
            return declared
        members: dict[str, Any] = {}
        wordings: dict[str, str] = {}
        for name, value in declared.items():
            if _PLACEHOLDER in str(value):
                raise ValueError(f"{name} still holds a placeholder")
            base, mark, language = str(name).partition("#")
            if mark and base in TAGGED and _LANGUAGE.fullmatch(language) and isinstance(value, str):
                wordings[name] = _name(value) if base == "client_name" else _address(value)
            else:
                members[name] = tuple(value) if isinstance(value, list) else value
        return {**members, "wordings": wordings}

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """What must hold between members."""
        if (self.jwks is None) == (self.jwks_uri is None):
            raise ValueError("exactly one of jwks and jwks_uri")
        if "authorization_code" in self.grant_types and not self.redirect_uris:
            raise ValueError("the authorization code grant needs redirect_uris")
        if self.sector is None and len(self._hosts()) > 1:
            raise ValueError("redirect_uris on several hosts need a sector (OpenID Connect Core §8.1)")
        return self

    def _hosts(self) -> set[str]:
        return {urlsplit(uri).hostname or "" for uri in self.redirect_uris}

    @cached_property
    def pairwise_sector(self) -> str:
        """Whose subject identifiers are equal (OpenID Connect Core §8.1).

        As declared, else the client itself: the host of the redirect URIs would join every agency on a shared host.
        """
        return self.client_id if self.sector is None else self.sector

    def name(self, language: str) -> str:
        """Return the client's name in a language, else its plain one."""
        return self.wordings.get(f"client_name#{language}", self.client_name)

    def may_use(self, grant_type: str) -> bool:
        """Say whether the client registered a grant type."""
        return grant_type in self.grant_types
