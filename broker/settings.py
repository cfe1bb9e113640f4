"""Settings: every one is `SEMEL_…` in the environment; secrets may also come from a file, `SEMEL_…_FILE`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from broker import lifetimes
from broker.needs import Durations
from keys.keyring import Purpose
from keys.sources.sealed import Schedule

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
TESTS = "SEMEL_TEST_"  # variables of this program's own tests
PORTS = {"https": 443, "http": 80}


def _origin(parts: SplitResult) -> str:
    """Spell an origin as browsers and clients do: lower case, no user, no port that goes without saying (RFC 6454 §6.2)."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    said = "" if parts.port in {None, PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{said}"


class Settings(BaseSettings):
    """What an operator decides. Durations in seconds."""

    model_config = SettingsConfigDict(env_prefix="SEMEL_", extra="ignore", frozen=True, hide_input_in_errors=True)

    issuer: str = "http://localhost:8000"
    mode: Literal["demo", "sandbox", "production"] = "production"
    data_dir: Path = Path("data")
    config_dir: Path = Path("openid-config")
    database_url: str = ""
    person_key_dir: Path | None = None
    key_encryption_key: str = Field(default="", repr=False)
    key_encryption_key_file: Path | None = None
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    mtls_origin: str = ""
    client_ca_file: Path | None = None
    egress_allow: Annotated[tuple[str, ...], NoDecode] = ()
    client_egress_allow: Annotated[tuple[str, ...], NoDecode] = ()
    egress_ca_file: Path | None = None

    pushed_request_seconds: int = Field(default=60, gt=0, lt=600)  # FAPI 2.0 §5.3.2.2
    journey_seconds: int = Field(default=900, gt=0)
    receipt_seconds: int = Field(default=600, gt=0)
    code_seconds: int = Field(default=60, gt=0, le=600)  # RFC 6749 §4.1.2
    token_seconds: int = Field(default=300, gt=0)
    session_idle_seconds: int = Field(default=1800, gt=0, le=3600)  # NIST SP 800-63B-4 §2.2.3
    session_seconds: int = Field(default=43_200, gt=0, le=86_400)  # as above
    offer_seconds: int = Field(default=600, gt=0)
    device_request_seconds: int = Field(default=600, gt=0, le=1800)  # RFC 8628 §5.1: as short as people can do with
    backchannel_request_seconds: int = Field(default=300, gt=0, le=900)
    preview_cut_seconds: float = Field(default=8.0, gt=0)
    checkpoint_seconds: float = Field(default=2.0, gt=0)
    legacy_frontchannel_logout: bool = False
    legacy_session_management: bool = False
    key_rotation_seconds: int = 90 * 86_400
    key_announce_seconds: int = 3600
    key_retire_seconds: int = 30 * 86_400

    @field_validator("trusted_proxies", "egress_allow", "client_egress_allow", mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in {"https", "http"} or not parts.hostname or "?" in given or "#" in given:
            raise ValueError("SEMEL_ISSUER must be a URL without query and fragment (OpenID Connect Discovery 1.0 §3)")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("SEMEL_ISSUER must be https; http is for loopback demos only")
        if parts.path:
            raise ValueError("SEMEL_ISSUER must not have a path (and no trailing slash)")
        if given != _origin(parts):
            raise ValueError(f"SEMEL_ISSUER is compared letter by letter; write {_origin(parts)}")
        return given

    @model_validator(mode="after")
    def _certificates(self) -> Settings:
        parts = urlsplit(self.mtls_origin)
        if self.mtls_origin:
            if parts.scheme != "https" or not parts.hostname or self.mtls_origin != _origin(parts):
                raise ValueError("SEMEL_MTLS_ORIGIN must be an https origin, as clients spell it (RFC 8705 §5)")
            if not self.trusted_proxies:
                raise ValueError("SEMEL_MTLS_ORIGIN needs SEMEL_TRUSTED_PROXIES: only they hand certificates on")
        elif self.client_ca_file is not None:
            raise ValueError("SEMEL_CLIENT_CA_FILE needs SEMEL_MTLS_ORIGIN: nobody is asked for a certificate")
        return self

    @model_validator(mode="after")
    def _together(self) -> Settings:
        """Refuse what is right by itself and wrong together; all of it at once."""
        wrong = [*lifetimes.contradictions(self)]
        if self.mode == "production":
            if self.issuer.startswith("http:"):
                wrong.append("in production SEMEL_ISSUER must be https")
            if self.egress_allow:
                wrong.append("in production SEMEL_EGRESS_ALLOW must be empty")
            if self.client_egress_allow:
                wrong.append("in production SEMEL_CLIENT_EGRESS_ALLOW must be empty")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def durations(self) -> Durations:
        """The lifetimes, as the handlers take them."""
        return Durations(
            pushed_request=self.pushed_request_seconds,
            journey=self.journey_seconds,
            receipt=self.receipt_seconds,
            code=self.code_seconds,
            token=self.token_seconds,
            session_idle=self.session_idle_seconds,
            session=self.session_seconds,
            offer=self.offer_seconds,
            device_request=self.device_request_seconds,
            backchannel_request=self.backchannel_request_seconds,
            preview_cut=self.preview_cut_seconds,
        )

    @property
    def legacy(self) -> frozenset[str]:
        """What browsers hardly support any more and an operator asked for all the same; never over http."""
        asked = {
            "frontchannel_logout": self.legacy_frontchannel_logout,
            "session_management": self.legacy_session_management,
        }
        return frozenset(name for name, wanted in asked.items() if wanted and self.secure)

    def key_schedule(self, credential_seconds: int = 0) -> Schedule:
        """When signing keys change; a credential's key stays published while anything it signed is valid."""
        retire: dict[Purpose, int] = {
            "token": self.key_retire_seconds,
            "credential": max(self.key_retire_seconds, credential_seconds + 86_400),
            "encryption": self.key_announce_seconds,  # long after the last copy of the published set is forgotten
        }
        return Schedule(self.key_rotation_seconds, self.key_announce_seconds, retire)

    @property
    def secure(self) -> bool:
        """Whether the issuer is https, and with it the cookies' policy."""
        return self.issuer.startswith("https:")

    @property
    def database(self) -> str:
        """The database's URL: the one given, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute()}/semel.db"

    @property
    def person_keys(self) -> Path:
        """The folder of the month keys that wrap the roots of persons."""
        return self.person_key_dir or self.data_dir / "person-keys"

    @property
    def ledger_dir(self) -> Path:
        """The folder of the ledger's published files."""
        return self.data_dir / "ledger"

    @property
    def ledger_origin(self) -> str:
        """The ledger's origin line: its public prefix without the scheme (C2SP tlog-checkpoint)."""
        return self.issuer.split("://", 1)[1] + "/ledger"

    def root_keyring_text(self) -> str:
        """Read the root keyring: the setting, its file, or `<data>/key-encryption-key`.

        Raises `FileNotFoundError` when there is none; `semel init` makes one in demo and sandbox.
        """
        if self.key_encryption_key:
            return self.key_encryption_key
        return (self.key_encryption_key_file or self.data_dir / "key-encryption-key").read_text()


def unknown() -> tuple[str, ...]:
    """Name the variables that look like settings and are none: one that is misspelt silently leaves its setting at the default."""
    known = {f"SEMEL_{name.upper()}" for name in Settings.model_fields}
    named = (name for name in os.environ if name.startswith("SEMEL_") and not name.startswith(TESTS))
    return tuple(sorted(name for name in named if name.upper() not in known))
