"""What the operator declares in sources/: made into sources, or refused with the file's name."""

import asyncio
import shutil
from pathlib import Path

import pytest

from broker.egress import Egress
from broker.evidence import registers
from broker.evidence.collect import collect
from broker.evidence.source import Subject
from consent import catalogue
from consent.errors import BadDeclaration
from examples.registers import people, population
from examples.registers.tax import TaxRegister
from tests import machine_clock

CONFIG = Path(__file__).parents[3] / "openid-config"


def copied(folder: Path, tax_url: str = "http://127.0.0.1:9") -> Path:
    """The declarations as the demo fills them, laid out as the demo lays them out."""
    shutil.copytree(CONFIG / "sources", folder / "config" / "sources")
    for path in (folder / "config" / "sources").glob("*.toml"):
        text = path.read_text("utf-8").replace("${register.tax}", tax_url)
        path.write_text(text.replace("${register.population}", f"sqlite:///{folder}/registers/population.db"), "utf-8")
    return folder / "config"


def load(config_dir: Path, known: catalogue.Catalogue) -> registers.Registers:
    return registers.load(config_dir, egress=Egress(["127.0.0.1"]), known=known)


def test_the_three_of_the_demo_hold_what_the_catalogue_says(tmp_path: Path, known: catalogue.Catalogue) -> None:
    loaded = load(copied(tmp_path), known)
    asyncio.run(loaded.aclose())
    assert {name: source.id for name, source in loaded.by_id.items()} == {
        n: n for n in ("account", "population", "tax")
    }
    assert all(known.attribute(attribute).source == source for attribute, source in loaded.routing.items())
    story = ["identity.given_name", "identity.family_name", "identity.birth_date", "address.registered"]
    story += ["address.municipality", "address.since", "family.custody", "income.taxable_band", "contact.iban"]
    assert set(story) | {"contact.email", "contact.phone", "contact.language"} <= set(loaded.routing)


def test_the_whole_way_and_one_register_down(tmp_path: Path, known: catalogue.Catalogue) -> None:
    everyone = people.read(CONFIG / "personas.toml")
    population.build(tmp_path / "registers" / "population.db", everyone)
    tax = TaxRegister(everyone, "s").start()
    (tmp_path / "registers" / "tax-client-secret").write_text("s")
    wanted = ["identity.given_name", "income.taxable_band", "contact.email"]

    async def run() -> list[dict[str, str]]:
        egress = Egress(["127.0.0.1"])
        loaded = registers.load(copied(tmp_path, tax.url), egress=egress, known=known)
        seen: list[dict[str, str]] = []
        for fault in (None, "down"):
            tax.fault(fault)
            subject = Subject("maria", "9000000103", {})
            found = await collect(
                loaded.by_id,
                loaded.routing,
                subject,
                wanted,
                phase="preview",
                reference="j",
                now=machine_clock.micros(),
            )
            seen.append({attribute: one.status for attribute, one in found.items()})
        await loaded.aclose()
        await egress.aclose()
        return seen

    up, down = asyncio.run(run())
    tax.stop()
    assert up == {"identity.given_name": "provided", "income.taxable_band": "provided", "contact.email": "not_held"}
    assert down == up | {"income.taxable_band": "source_unavailable"}


ACCOUNT = 'connector = "account"\n[attributes]\n'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("other", 'connector = "soap"', r"other\.toml: connector"),
        ("other", "attributes = {}", r"other\.toml: connector"),
        ("other", "connector =", r"other\.toml: "),
        ("other", ACCOUNT + '"contact.email" = "email"', r"other\.toml: contact\.email is not of this source"),
        ("account", ACCOUNT + '"contact.fax" = "email"', r"account\.toml: contact\.fax is not of this source"),
        ("account", ACCOUNT + '"contact.email" = "fax"', r"account\.toml: attributes"),
        ("account", ACCOUNT + "[more]", r"account\.toml: more"),
        ("tax", 'connector = "rest"\nurl = "${register.tax}"', r"tax\.toml: \$\{register\.tax\} was not filled in"),
        ("tax", 'connector = "rest"\nurl = "https://t.example"', r"tax\.toml: token_url"),
        (
            "population",
            'connector = "sql"\nurl = "sqlite://"\n'
            + '[[views]]\nview = "a"\nperson = "p"\nattributes = { "identity.given_name" = "g" }\n' * 2,
            r"population\.toml: identity\.given_name is held twice",
        ),
    ],
)
def test_declarations_refused(tmp_path: Path, known: catalogue.Catalogue, name: str, text: str, said: str) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / f"{name}.toml").write_text(text, "utf-8")
    with pytest.raises(BadDeclaration, match=said):
        load(tmp_path, known)


def test_no_sources_at_all_is_refused(tmp_path: Path, known: catalogue.Catalogue) -> None:
    with pytest.raises(BadDeclaration, match="sources"):
        load(tmp_path, known)
