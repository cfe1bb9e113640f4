"""A browser without scripts: pages, their forms by id, their links by id; what a program needs to walk them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2

Attributes = dict[str, str]
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Element:
    """One element with what is inside it."""

    tag: str
    attributes: Attributes
    inside: list["Element | str"] = field(default_factory=list)  # elements and texts, in order

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name, "")

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    def __iter__(self) -> Iterator["Element"]:
        yield self
        for part in self.inside:
            if isinstance(part, Element):
                yield from part

    @property
    def raw(self) -> str:
        """All text inside, as it was sent."""
        return "".join(part if isinstance(part, str) else part.raw for part in self.inside)

    @property
    def text(self) -> str:
        """All text inside, with single spaces."""
        return " ".join(self.raw.split())

    def find(self, tag: str = "", **wanted: str) -> "Element | None":
        """The first element inside with this tag and these attributes (`data_source` means `data-source`)."""
        return next(iter(self.find_all(tag, **wanted)), None)

    def find_all(self, tag: str = "", **wanted: str) -> list["Element"]:
        """Every such element."""
        asked = {name.replace("_", "-"): value for name, value in wanted.items()}
        return [e for e in self if (not tag or e.tag == tag) and all(e[name] == v for name, v in asked.items())]


class Tree(HTMLParser):
    """Builds the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("page", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if any(element.tag == tag for element in self.open[1:]):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


@dataclass
class Page:
    """A page as it came."""

    url: str
    status: int
    content: Element

    @property
    def heading(self) -> str:
        """What the page is called."""
        found = self.content.find("h1")
        return found.text if found else ""

    def has(self, element_id: str) -> bool:
        """Whether there is an element with this id."""
        return self.content.find(id=element_id) is not None

    def get(self, element_id: str) -> Element:
        """The element with this id; LookupError says which page has none."""
        found = self.content.find(id=element_id)
        if found is None:
            raise LookupError(f"no element {element_id!r} on {self.url} ({self.status}): {self.heading}")
        return found

    def links(self, part: str) -> list[str]:
        """The addresses of the links that contain `part`, in order, each once."""
        found = [urljoin(self.url, a["href"]) for a in self.content.find_all("a") if part in a["href"]]
        return list(dict.fromkeys(found))


class Browser:
    """One person's browser: cookies, and nothing else."""

    def __init__(self) -> None:
        self.http = httpx2.Client(follow_redirects=True, timeout=30, trust_env=False)

    def open(self, url: str) -> Page:
        """Follow a link."""
        return self._page(self.http.get(url))

    def submit(self, page: Page, form_id: str, button: str, **filled: str | list[str]) -> Page:
        """Press the button with this value in the form with this id, with `filled` in its fields."""
        form = page.get(form_id)
        sent: dict[str, list[str]] = {}
        for each in form.find_all("input") + form.find_all("textarea"):
            if each["type"] in {"checkbox", "radio"} and "checked" not in each:
                continue
            if each["name"] and each["type"] not in {"submit", "file"}:
                sent.setdefault(each["name"], []).append(
                    each["value"] if each.tag == "input" else each.raw.removeprefix("\n")
                )
        pressed = form.find("button", value=button)
        if pressed is None:
            raise LookupError(f"no button {button!r} in the form {form_id!r} on {page.url}")
        for name, value in (filled | {pressed["name"]: button}).items():
            sent[name] = [value] if isinstance(value, str) else value
        target = urljoin(page.url, form["action"] or page.url)
        if form["method"].lower() == "post":
            return self._page(self.http.post(target, data=sent))
        return self._page(self.http.get(target, params=sent))

    @staticmethod
    def _page(answer: httpx2.Response) -> Page:
        tree = Tree()
        tree.feed(answer.text)
        return Page(str(answer.url), answer.status_code, tree.root)
