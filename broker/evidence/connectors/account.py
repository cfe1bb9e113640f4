"""Connector `account`: what a person told this service about themselves, from their own sealed profile."""

from typing import Literal

from broker.evidence.source import Evidence, Found, Phase, Subject
from consent.declarations import Declared, Id

Kept = Literal[
    "name", "email", "phone", "language",
    "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
    "gender", "birthdate", "zoneinfo", "email_verified", "phone_number_verified", "address",
]  # fmt: skip


class Declaration(Declared):
    """`openid-config/sources/<id>.toml` with `connector = "account"`: which attribute is which value of the profile."""

    connector: Literal["account"]
    attributes: dict[Id, Kept]


class AccountSource:
    """Answers from the subject itself; nothing is asked of anyone."""

    def __init__(self, name: str, declared: Declaration) -> None:
        self._name, self._declared = name, declared

    @property
    def id(self) -> str:
        """The file's name."""
        return self._name

    async def fetch(
        self,
        subject: Subject,
        attributes: frozenset[str],
        *,
        phase: Phase,  # noqa: ARG002 - the account does not care why it is asked
        reference: str,  # noqa: ARG002 - nor for whom
        now: int,
    ) -> Evidence:
        """The profile's sealed values as they are; what the person has not given is not held."""
        found = []
        for attribute in sorted(attributes):
            value = subject.account.get(self._declared.attributes[attribute])
            as_of = subject.account_as_of if value is not None else None
            found.append(Found(attribute, "not_held" if value is None else "provided", value, self.id, as_of, now))
        return Evidence(found)

    async def aclose(self) -> None:
        """Nothing to close."""
