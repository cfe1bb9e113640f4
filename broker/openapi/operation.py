"""One described endpoint as a value: who calls it, what it takes, what it answers, how it refuses (OpenAPI 3.1 §4.8.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = Mapping[str, Any]
#: Who calls: nobody in particular; a client that authenticates; whoever redeems a grant, with or without; a holder of
#: an access token about a person, or of a token of a client's own; a holder of one of the two tokens of registration.
Caller = Literal[
    "anyone",
    "client",
    "client or wallet",
    "access token",
    "own token",
    "initial access token",
    "registration token",
]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
YES_OR_NO: Schema = {"type": "boolean"}
URI: Schema = {"type": "string", "format": "uri"}
OBJECT: Schema = {"type": "object"}
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
JWT = "application/jwt"


def listed(of: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": dict(of)}


def one_of(*values: str) -> Schema:
    """Describe one of a few words."""
    return {"type": "string", "enum": list(values)}


@dataclass(frozen=True)
class Field:
    """A parameter or a member: its name, what it is in a sentence, its schema, whether it must be there."""

    name: str
    text: str
    schema: Schema = field(default_factory=lambda: TEXT)
    required: bool = False


@dataclass(frozen=True)
class Body:
    """What goes over the wire: its members, and under which media types; other members may come along."""

    text: str
    fields: tuple[Field, ...] = ()
    media_types: tuple[str, ...] = (JSON,)
    schema: Schema | None = None  # where it is no object with members

    def as_schema(self) -> dict[str, Any]:
        """Write the body as JSON Schema."""
        if self.schema is not None:
            return dict(self.schema)
        members = {one.name: {**one.schema, "description": one.text} for one in self.fields}
        required = [one.name for one in self.fields if one.required]
        return {"type": "object", "properties": members} | ({"required": required} if required else {})


@dataclass(frozen=True)
class Refusals:
    """How an endpoint refuses with one status: the codes it may say."""

    text: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One row: the route it describes, in which chapter, and everything a caller must know."""

    method: str
    path: str
    chapter: str
    title: str
    spec: str
    caller: Caller
    answers: Mapping[int, Body]
    refusals: Mapping[int, Refusals] = field(default_factory=dict)
    text: str = ""
    path_fields: tuple[Field, ...] = ()
    query: tuple[Field, ...] = ()
    headers: tuple[Field, ...] = ()
    body: Body | None = None

    @property
    def name(self) -> str:
        """Name it once and for all, for generated programs."""
        words = [word for word in self.path.replace("{", "").replace("}", "").replace(".", "-").split("/") if word]
        return "_".join([self.method.lower(), *words]).replace("-", "_")
