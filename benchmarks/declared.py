"""Semel's declarations for the benchmarks: so many agencies, each with a use of eight items of one register."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.agency import Agency
from benchmarks.side import RESOURCE

ROOT = Path(__file__).parents[1] / "openid-config"
ITEMS = (
    "identity.given_name",
    "identity.family_name",
    "identity.full_name",
    "identity.birth_date",
    "identity.sex",
    "address.registered",
    "address.municipality",
    "address.since",
)
CLIENT = """client_id = "{id}"
client_name = "Agency {id}"
redirect_uris = ["{callback}"]
grant_types = ["authorization_code", "client_credentials"]
scope = "openid use:{use} files:read"
calls = ["{resource}"]

[[jwks.keys]]
{jwk}
"""
FILES = """client_id = "files"
client_name = "Files"
profile = "baseline"
token_endpoint_auth_method = "client_secret_basic"
grant_types = ["client_credentials"]
response_types = []
serves = ["{resource}"]
client_secret_hash = "{secret}"
"""
SIGNING = """client_id = "files-signing"
client_name = "Files, signing"
grant_types = ["client_credentials"]
response_types = []
serves = ["{resource}"]

[[jwks.keys]]
{jwk}
"""
USE = """id = "{use}"
version = 1
client_id = "{id}"
mode = "consent"
kind = "ongoing"
ceiling_days = 365
durations = [90, 365]
minimum_acr = "http://eidas.europa.eu/LoA/substantial"
purpose_code = "sector-publicservices:SocialWelfareEligibilityAssessment"

[title]
en = "Form {use}"
ar = "نموذج {use}"

[purpose]
en = "To decide about form {use}."
ar = "للبت في نموذج {use}."

[legal_basis]
code = "eu-gdpr:A6-1-a-explicit-consent"
article = "GDPR art. 6(1)(a)"
text.en = "Only if you say yes."
text.ar = "فقط إذا وافقت."

[controller]
id = "{id}"
scheme = "municipality"
domain = "{id}.example"
country = "XN"
contact = "forms@{id}.example"
data_protection_contact = "privacy@{id}.example"
erasure_contact = "privacy@{id}.example"
name = {{ en = "Agency {id}", ar = "الجهة {id}" }}
address = {{ en = "1 Market Square", ar = "1 ساحة السوق" }}
supervisory_authority = {{ en = "Data Protection Office", ar = "مكتب حماية البيانات" }}

[consequence]
en = "If you say no, nothing is shared."
ar = "إذا رفضت فلن يُشارك أي شيء."

[alternative]
text.en = "Fill in the form by hand."
text.ar = "املأ النموذج بيدك."
url = "https://{id}.example/"
"""
ITEM = """
[[items]]
id = "{item}"
required = true
retention_days = 365
reason.en = "The form asks for it."
reason.ar = "يطلبه النموذج."
"""


def use_of(client_id: str) -> str:
    """The use of an agency."""
    return f"bench.{client_id}"


def write(folder: Path, agencies: Sequence[Agency], *, register: Path, secret: str, signing: Agency) -> None:
    """Write the declarations; `secret` is the hash of the one with which `files` calls."""
    for name in ("clients", "uses", "sources", "credentials"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(ROOT / "catalogue", folder / "catalogue")
    for name in ("broker.toml", "scopes.toml", "registers.toml", "registration.toml"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "personas.toml").write_text("personas = []\n")
    source = (ROOT / "sources" / "population.toml").read_text("utf-8")
    (folder / "sources" / "population.toml").write_text(
        source.replace("${register.population}", f"sqlite:///{register}"), "utf-8"
    )
    for agency in agencies:
        use = use_of(agency.client_id)
        client = CLIENT.format(
            id=agency.client_id, callback=agency.callback, use=use, resource=RESOURCE, jwk=_jwk(agency)
        )
        (folder / "clients" / f"{agency.client_id}.toml").write_text(client, "utf-8")
        items = "".join(ITEM.format(item=item) for item in ITEMS)
        (folder / "uses" / f"{use}.toml").write_text(USE.format(id=agency.client_id, use=use) + items, "utf-8")
    (folder / "clients" / "files.toml").write_text(FILES.format(resource=RESOURCE, secret=secret), "utf-8")
    (folder / "clients" / "files-signing.toml").write_text(SIGNING.format(resource=RESOURCE, jwk=_jwk(signing)))


def _jwk(agency: Agency) -> str:
    members = {**agency.key.jwk, "kid": agency.key.kid, "alg": "ES256", "use": "sig"}
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in members.items())
