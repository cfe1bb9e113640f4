"""What kinds of credential are issued: the operator's declarations, one file each (OpenID4VCI 1.0 §12.2.4, Appendix A.3).

One declaration is the source of the metadata that wallets read, of the claims that are signed, and of what is asked
from the registers; so these cannot disagree.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wallet.errors import InvalidCredentialType

#: Claims of the envelope: never selectively disclosable, never declared as data (SD-JWT VC §3.2.2.2).
ENVELOPE = frozenset(
    {"iss", "nbf", "exp", "iat", "sub", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "data_as_of"}
)


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)


class Label(_Declared):
    """A name in one language (BCP 47)."""

    locale: str
    name: str


class Image(_Declared):
    """A picture by address, with what it shows in words."""

    uri: str
    alt_text: str | None = None


class Display(_Declared):
    """How a wallet shows the credential in one language."""

    locale: str
    name: str
    description: str | None = None
    background_color: str | None = None
    text_color: str | None = None
    logo: Image | None = None


class Claim(_Declared):
    """One claim: where it stands in the credential, and the catalogue attribute (and its member) it is made from.

    A claim with a `fixed` value has no attribute and is in every presentation; every other claim is the holder's to
    disclose or to keep back.
    """

    path: tuple[str, ...] = Field(min_length=1, max_length=2)
    attribute: str | None = None
    member: str | None = None
    fixed: str | None = None
    mandatory: bool = False
    display: tuple[Label, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_origin(self) -> "Claim":
        if (self.attribute is None) == (self.fixed is None):
            raise ValueError("a claim has either an attribute or a fixed value")
        if self.fixed is not None and (self.member is not None or len(self.path) > 1):
            raise ValueError("a fixed claim stands alone")
        if self.path[0] in ENVELOPE or any(name in {"_sd", "...", "_sd_alg"} for name in self.path):
            raise ValueError("a claim has a reserved name")
        return self


class CredentialType(_Declared):
    """One credential configuration. Times in seconds."""

    id: str
    format: Literal["dc+sd-jwt"]
    scope: str
    vct: str
    profile: Literal["counter"]
    use: str
    lifetime: Annotated[int, Field(ge=3600, le=86_400)]
    credential_signing_alg_values_supported: tuple[Literal["ES256"], ...] = ("ES256",)
    proof_signing_alg_values_supported: tuple[Literal["ES256"], ...] = ("ES256",)
    display: tuple[Display, ...] = Field(min_length=1)
    claims: tuple[Claim, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _paths(self) -> "CredentialType":
        paths = [claim.path for claim in self.claims]
        if len(set(paths)) != len(paths):
            raise ValueError("two claims have one path")
        for claim in self.claims:
            parent = self.claim(claim.path[:1])
            if parent is None or parent.attribute != claim.attribute:
                raise ValueError("a claim inside another needs that one declared, of the same attribute")
        return self

    def claim(self, path: tuple[str, ...]) -> Claim | None:
        """Return the claim at a path, or None."""
        return next((claim for claim in self.claims if claim.path == path), None)

    def members(self, claim: Claim) -> tuple[Claim, ...]:
        """Return the claims declared inside this one, in order."""
        return tuple(one for one in self.claims if len(one.path) == 2 and one.path[:1] == claim.path)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The catalogue attributes it is made from, each once, in order."""
        return tuple(dict.fromkeys(claim.attribute for claim in self.claims if claim.attribute is not None))

    @property
    def mandatory_attributes(self) -> tuple[str, ...]:
        """The attributes without which it is not issued."""
        return tuple(dict.fromkeys(one.attribute for one in self.claims if one.attribute is not None and one.mandatory))

    def shown(self, language: str) -> Display:
        """Return how it is shown in a language, or in its first one."""
        return next((one for one in self.display if one.locale == language), self.display[0])


def load(config_dir: Path) -> Mapping[str, CredentialType]:
    """Read `credentials/*.toml`; the file's name is the configuration's id.

    Raises `InvalidCredentialType`, which names the file and the member, for anything that is not exactly a declaration.
    """
    types: dict[str, CredentialType] = {}
    faults: list[str] = []
    for file in sorted((config_dir / "credentials").glob("*.toml")):
        try:
            declared = tomllib.loads(file.read_text(encoding="utf-8"))
            types[file.stem] = CredentialType.model_validate({**declared, "id": file.stem})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            faults.append(f"{file.name}: not TOML")
        except ValidationError as problem:
            said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problem.errors())
            faults.append(f"{file.name}: {said}")
    if faults:
        raise InvalidCredentialType("\n".join(faults))
    return types
