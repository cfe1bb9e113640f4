"""The built-in use `semel.sign-in`: who only wants to know that it is you, and what your account says (OpenID Connect Core §5.4).

Declared once in `openid-config/sign-in.toml` for every client: the words of the scope, the claims they stand for, and the
item of the person's account behind each. Nothing of a register is asked for under it. Without the file nobody can sign in
without a use of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from consent import declarations, intended_use
from consent.catalogue import Catalogue
from consent.declarations import Declared, Id, Words
from consent.errors import BadDeclaration
from consent.intended_use import SIGN_IN, IntendedUse, Uses

FILE = "sign-in.toml"
SOURCE = "account"


class SignInFile(Declared):
    """The use as a file in `uses/` has it, without items and client; and what each word of the scope stands for."""

    reason: Words
    retention_days: int
    use: dict[str, Any]
    words: dict[str, dict[str, Id]]


@dataclass(frozen=True)
class Party:
    """Who asks, as a client registered it; `name` in every language of the house."""

    client_id: str
    name: Mapping[str, str]
    domain: str
    url: str
    contact: str


@dataclass(frozen=True)
class SignIn:
    """The use with everything that can be asked for under it; `words` are scope words and their claims with their items."""

    template: IntendedUse
    words: Mapping[str, Mapping[str, str]]

    @property
    def claims(self) -> Mapping[str, str]:
        """The item behind each claim."""
        return {claim: item for word in self.words.values() for claim, item in word.items()}

    def use(self, party: Party) -> IntendedUse:
        """Give the use as one client asks under it."""
        return self.template.model_copy(
            update={
                "client_id": party.client_id,
                "controller": self.template.controller.model_copy(
                    update={
                        "id": party.client_id,
                        "scheme": "client",
                        "name": dict(party.name),
                        "domain": party.domain,
                        "contact": party.contact,
                        "data_protection_contact": party.contact,
                        "erasure_contact": party.contact,
                    }
                ),
                "alternative": self.template.alternative.model_copy(update={"url": party.url}),
            }
        )


def load(config_dir: Path, known: Catalogue) -> SignIn | None:
    """Read the file; None where there is none. Raises `BadDeclaration`, also for an item that is not of the account."""
    path = config_dir / FILE
    if not path.exists():
        return None
    declared = declarations.read(path, SignInFile)
    items = dict.fromkeys(item for word in declared.words.values() for item in word.values())
    foreign = [item for item in items if item not in known.attributes or known.attributes[item].source != SOURCE]
    if foreign:
        raise BadDeclaration(f"{FILE}: not of the account: {' '.join(foreign)}")
    each = {"required": True, "reason": declared.reason, "retention_days": declared.retention_days}
    listed = [{"id": item, **each} for item in items]
    try:
        made = IntendedUse.model_validate({**declared.use, "id": SIGN_IN, "client_id": "*", "items": listed})
        return SignIn(intended_use.check(made, known), declared.words)
    except (ValueError, BadDeclaration) as problem:
        raise BadDeclaration(f"{FILE}: {problem}") from None


def uses(config_dir: Path, known: Catalogue) -> Uses:
    """Read the operator's uses, and the built-in one with them. Raises `BadDeclaration`."""
    return replace(intended_use.load(config_dir), sign_in=load(config_dir, known))
