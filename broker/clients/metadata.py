"""What a client registers: metadata under its registered names, and our few beside them (RFC 7591 §2, OpenID Registration §2)."""

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from broker.clients import display_name, secret, web_address
from broker.clients import profile as profiles
from broker.clients.profile import Profile
from keys import certificates
from keys import errors as keys_errors

CLIENT_ID = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.ASCII)
TAGGED = ("client_name", "client_uri", "policy_uri", "tos_uri", "logo_uri")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_REACHED_AT = re.compile(
    r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}|\+?[0-9][0-9 ()./-]{3,30}", re.ASCII
)  # mail or telephone
_PLACEHOLDER = "${"
_BY_KEYS = frozenset({"private_key_jwt", "self_signed_tls_client_auth"})
_FRAGMENT = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*", re.ASCII)

SigningAlg = Literal["ES256", "PS256", "EdDSA", "Ed25519", "RS256"]
EncryptionAlg = Literal["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"]
ContentEncryption = Literal["A128GCM", "A256GCM"]
AuthMethod = Literal[
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "client_secret_basic",
    "client_secret_post",
    "none",
    "attest_jwt_client_auth",
]
PUBLIC_SECTOR = "PUBLIC"  # no sector and no client id is in capitals


def _address(value: str) -> str:
    web_address.parse(value)
    return value


def _return_address(value: str) -> str:
    web_address.parse_return(value)
    return value


def _name(value: str) -> str:
    display_name.check(value)
    return value


def _request_address(value: str) -> str:
    address, _, fragment = value.partition("#")
    web_address.parse(address)
    if not _FRAGMENT.fullmatch(fragment):
        raise ValueError("a fragment is plain ASCII without spaces")
    return value


NO_SECTOR = "several hosts with subject_type pairwise need a sector_identifier_uri (OpenID Connect Core §8.1)"
Address = Annotated[str, AfterValidator(_address)]
ReturnAddress = Annotated[str, AfterValidator(_return_address)]
RequestAddress = Annotated[
    str, Field(max_length=2000), AfterValidator(_request_address)
]  # Core §6.2: perhaps a fragment
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]


CertificateName = Annotated[str, Field(min_length=1, max_length=certificates.MAX_NAME)]


#: Where browsers are sent and requests go.
REACHED = (
    "redirect_uris", "post_logout_redirect_uris", "frontchannel_logout_uri", "backchannel_logout_uri", "request_uris",
    "jwks_uri", "sector_identifier_uri", "backchannel_client_notification_endpoint",
)  # fmt: skip


def _each(value: tuple[str, ...] | str | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


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
    redirect_uris: Annotated[tuple[ReturnAddress, ...], Field(max_length=50)] = ()
    post_logout_redirect_uris: Annotated[tuple[ReturnAddress, ...], Field(max_length=50)] = ()
    backchannel_logout_uri: Address | None = None
    backchannel_logout_session_required: bool = False
    frontchannel_logout_uri: ReturnAddress | None = None
    frontchannel_logout_session_required: bool = False
    response_types: tuple[Literal["code"], ...] = ("code",)
    grant_types: tuple[Annotated[str, Field(max_length=100)], ...] = ("authorization_code",)
    scope: Annotated[str, Field(max_length=4000)] = "openid"
    token_endpoint_auth_method: AuthMethod = "private_key_jwt"  # noqa: S105  # an RFC 7591 name, no secret
    token_endpoint_auth_signing_alg: SigningAlg = "ES256"  # noqa: S105  # as above
    id_token_signed_response_alg: Literal["ES256", "PS256", "EdDSA", "RS256"] = "ES256"  # noqa: S105  # as above
    id_token_encrypted_response_alg: EncryptionAlg | None = None
    id_token_encrypted_response_enc: ContentEncryption | None = None
    userinfo_signed_response_alg: Literal["ES256", "PS256", "EdDSA", "RS256"] | None = None
    userinfo_encrypted_response_alg: EncryptionAlg | None = None
    userinfo_encrypted_response_enc: ContentEncryption | None = None
    introspection_encrypted_response_alg: EncryptionAlg | None = None
    introspection_encrypted_response_enc: ContentEncryption | None = None
    request_object_encryption_alg: Literal["ECDH-ES", "RSA-OAEP-256"] | None = None
    request_object_encryption_enc: ContentEncryption | None = None
    request_object_signing_alg: SigningAlg | None = None
    require_signed_request_object: bool = False
    request_uris: Annotated[tuple[RequestAddress, ...], Field(max_length=20)] = ()
    authorization_signed_response_alg: Literal["ES256", "PS256", "EdDSA", "RS256"] | None = None
    authorization_encrypted_response_alg: EncryptionAlg | None = None
    authorization_encrypted_response_enc: ContentEncryption | None = None
    tls_client_auth_subject_dn: CertificateName | None = None
    tls_client_auth_san_dns: CertificateName | None = None
    tls_client_auth_san_uri: CertificateName | None = None
    tls_client_auth_san_ip: CertificateName | None = None
    tls_client_auth_san_email: CertificateName | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    backchannel_token_delivery_mode: Literal["poll", "ping"] | None = None
    backchannel_client_notification_endpoint: Address | None = None
    backchannel_authentication_request_signing_alg: SigningAlg | None = None
    backchannel_user_code_parameter: Literal[False] | None = None
    jwks: Mapping[str, Any] | None = None
    jwks_uri: Address | None = None
    sector_identifier_uri: Address | None = None
    software_id: Annotated[str, Field(max_length=200)] | None = None
    software_version: Annotated[str, Field(max_length=200)] | None = None
    software_statement: Annotated[str, Field(max_length=16_384)] | None = None
    subject_type: Literal["pairwise", "public"] = "pairwise"
    default_acr_values: tuple[str, ...] = ()
    default_max_age: Annotated[int, Field(ge=0, le=31_536_000)] | None = None
    require_auth_time: bool = False
    require_pushed_authorization_requests: bool = True
    dpop_bound_access_tokens: bool = True
    client_secret_expires_at: Annotated[int, Field(ge=0)] = 0  # seconds since 1970; 0 means never (RFC 7591 §3.2.1)
    # ours
    profile: Profile = "fapi2"
    client_secret_hash: Annotated[str, Field(pattern=f"^{secret.HASH.pattern}$")] | None = None
    sector: Annotated[str, Field(pattern=r"^[a-z0-9.:-]{1,253}$")] | None = None
    serves: Annotated[
        tuple[Address, ...], Field(max_length=20)
    ] = ()  # resources that are this client's own (RFC 8707 §2)
    calls: Annotated[tuple[Address, ...], Field(max_length=20)] = ()  # other servers' resources it may ask tokens for
    disabled: bool = False
    wordings: Mapping[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _gather_wordings(cls, declared: Any) -> Any:
        """Collect `name#language` members (RFC 7591 §2.2), turn lists into tuples, fill in what the profile implies.

        Unfilled placeholders are refused.
        """
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
        implied = dict(profiles.DEFAULTS.get(str(members.get("profile", "fapi2")), {}))
        if members.get("tls_client_certificate_bound_access_tokens") is True:
            implied["dpop_bound_access_tokens"] = False  # unless the client asks to be held to both
        return {**implied, **members, "wordings": wordings}

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """What must hold between members."""
        if self.jwks is not None and self.jwks_uri is not None:
            raise ValueError("one of jwks and jwks_uri, not both")
        if "authorization_code" in self.grant_types and not self.redirect_uris:
            raise ValueError("the authorization code grant needs redirect_uris")
        for kind, name in self.certificate_names:
            try:
                certificates.check_name(kind, name)
            except keys_errors.Malformed as problem:
                raise ValueError(f"tls_client_auth_{kind}: {problem}") from problem
        if self.frontchannel_logout_uri is not None and not self._is_own(self.frontchannel_logout_uri):
            raise ValueError("frontchannel_logout_uri is at the origin of a redirect URI (Front-Channel Logout 1.0 §2)")
        always = profiles.broken(self, mode="demo")  # what no mode allows
        if always:
            raise ValueError(profiles.told(always))
        return self

    def _is_own(self, address: str) -> bool:
        return web_address.origin(address) in self.origins

    def lacks_sector(self, declared: Mapping[str, Any]) -> bool:
        """Whether what was declared asks for pairwise identifiers on several hosts and names no sector (Core §8.1).

        Who does not ask is known by identifiers of the client alone, wherever its redirect URIs are.
        """
        named = self.sector is not None or self.sector_identifier_uri is not None
        hosts = {urlsplit(uri).hostname for uri in self.redirect_uris}
        return declared.get("subject_type") == "pairwise" and not named and len(hosts) > 1

    @cached_property
    def pairwise_sector(self) -> str:
        """Whose subject identifiers are equal (OpenID Connect Core §8.1).

        As declared or listed at an address, else the client itself: the host of the redirect URIs would join every agency on a shared host.
        """
        if self.subject_type == "public":
            return PUBLIC_SECTOR
        if self.sector is None and self.sector_identifier_uri is not None:
            return urlsplit(self.sector_identifier_uri).hostname or self.client_id
        return self.client_id if self.sector is None else self.sector

    def at_origin(self, own: Collection[str]) -> str | None:
        """Name the first member whose address is at one of these origins: no client stands at our own (RFC 9700 §4.1)."""
        members = {name: getattr(self, name) for name in REACHED}
        found = (name for name, value in members.items() for one in _each(value) if web_address.is_own(one, own))
        return next(found, None)

    @property
    def origins(self) -> frozenset[str]:
        """Where people are sent back to."""
        return frozenset(web_address.origin(uri) for uri in self.redirect_uris)

    @property
    def fetches(self) -> bool:
        """Whether the client fetches answers itself: no redirect URI then says to whom they go (CIBA Core §4, RFC 8628 §3.4)."""
        return not {profiles.CIBA, profiles.DEVICE}.isdisjoint(self.grant_types)

    @property
    def keys_fetch(self) -> bool:
        """Whether answers are fetched with the keys behind `jwks_uri` and by nobody else (CIBA Core §4)."""
        return self.jwks_uri is not None and self.token_endpoint_auth_method in _BY_KEYS

    @property
    def answers_at(self) -> tuple[str, ...]:
        """Name the hosts at which answers end, as far as addresses say; the client's own id where no address says who fetches them."""
        hosts = [urlsplit(uri).netloc for uri in self.redirect_uris]
        if self.fetches or not hosts:
            hosts.append(urlsplit(self.jwks_uri or "").netloc if self.keys_fetch else self.client_id)
        return tuple(dict.fromkeys(hosts))

    @property
    def names(self) -> tuple[str, ...]:
        """What people may see the client called, in any language."""
        return self.client_name, *(value for name, value in self.wordings.items() if name.startswith("client_name#"))

    @property
    def contact(self) -> str | None:
        """Whom people reach: the first contact that is a mail address or a telephone number, else its page; a page of ours tells no other text."""
        return next((one for one in self.contacts if _REACHED_AT.fullmatch(one)), self.client_uri)

    @property
    def authenticates(self) -> bool:
        """Whether the client proves who it is; a public one only says so (RFC 6749 §2.1)."""
        return self.token_endpoint_auth_method != "none"  # noqa: S105 - a method's name

    @property
    def certificate_names(self) -> list[tuple[certificates.Name, str]]:
        """The names by which the client's certificate is known, with their kinds (RFC 8705 §2.1.2)."""
        given = [(kind, getattr(self, f"tls_client_auth_{kind}")) for kind in get_args(certificates.Name)]
        return [(kind, name) for kind, name in given if name is not None]

    def encryption(self, answer: str) -> tuple[str | None, str | None]:
        """Return how answers of a kind (`id_token`, `userinfo`, `authorization`, `introspection`) are encrypted: key and content."""
        return getattr(self, f"{answer}_encrypted_response_alg"), getattr(self, f"{answer}_encrypted_response_enc")

    def name(self, language: str) -> str:
        """Return the client's name in a language, else its plain one."""
        return self.wordings.get(f"client_name#{language}", self.client_name)

    def may_use(self, grant_type: str) -> bool:
        """Say whether the client registered a grant type."""
        return grant_type in self.grant_types
