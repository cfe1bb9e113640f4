"""What the operator says of themselves on the pages every public service has: `openid-config/broker.toml` and `pages/<language>.toml`.

Everything may be left out: a page without a text of the operator's has the product's own, which names the operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from consent import declarations, receipt
from consent.declarations import LANGUAGES, Declared, Line, Several
from consent.errors import BadDeclaration

PageName = Literal["help", "privacy", "accessibility", "cookies", "contact", "status"]
NAMES: tuple[PageName, ...] = ("help", "privacy", "accessibility", "cookies", "contact", "status")
#: A paragraph: plain text, no markup.
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f\x7f]*$")]
#: Where weaknesses are reported (RFC 9116 §2.5.3): a mail address or a page, as a URI.
Reports = Annotated[str, StringConstraints(pattern=r"^(mailto:[^\s@]+@[^\s@]+|https://\S+)$", max_length=300)]


class Section(Declared):
    """A heading and the paragraphs under it."""

    heading: Line
    text: Annotated[Several[Paragraph], Field(min_length=1)]


class PagesFile(Declared):
    """`pages/<language>.toml`: how the operator is reached, and the pages they write themselves, section by section."""

    mail: Line = ""
    phone: Line = ""
    hours: Line = ""
    address: Line = ""
    security: Reports | None = None
    help: Several[Section] = ()
    privacy: Several[Section] = ()
    accessibility: Several[Section] = ()
    cookies: Several[Section] = ()
    contact: Several[Section] = ()
    status: Several[Section] = ()


@dataclass(frozen=True)
class OperatorTexts:
    """Who runs this installation and what they say, by language; `names` is empty where nobody declared one."""

    names: Mapping[str, str] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)
    mail: str = ""
    pages: Mapping[str, PagesFile] = field(default_factory=dict)

    @property
    def security(self) -> str | None:
        """Where weaknesses are reported, as the first language declares it."""
        return next((page.security for page in self.pages.values() if page.security), None)

    def context(self, name: PageName, language: str) -> dict[str, Any]:
        """What the template of these pages takes, in a language."""
        page = self.pages.get(language, PagesFile())
        sections: tuple[Section, ...] = getattr(page, name)
        return {
            "page": name,
            "operator": self.names.get(language),
            "authority": self.authorities.get(language),
            "mail": page.mail or self.mail or None,
            "phone": page.phone or None,
            "hours": page.hours or None,
            "address": page.address or None,
            "sections": [{"heading": one.heading, "text": list(one.text)} for one in sections],
        }


def load(config_dir: Path) -> OperatorTexts:
    """Read the operator's files. Raises `BadDeclaration`, also for a language that the product does not speak."""
    folder = config_dir / "pages"
    files = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    strange = sorted(files.keys() - set(LANGUAGES))
    if strange:
        raise BadDeclaration(f"pages: no language {', '.join(strange)}")
    pages = {language: declarations.read(path, PagesFile) for language, path in files.items()}
    if not (config_dir / "broker.toml").exists():
        return OperatorTexts(pages=pages)
    by = receipt.operator(config_dir)
    return OperatorTexts(by.name, by.supervisory_authority, by.contact, pages)
