"""Every citizen page in every language: complete, escaped, in plain words, without anything a strict policy would block."""

import hashlib
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from jinja2 import meta

from broker import needs
from broker.pages import files, render
from tests.broker.pages.samples import NAMES, PLAIN, asking, sample

LANGUAGES = render.languages()
TEMPLATES = Path(render.HERE) / "citizen" / "templates"
GOING_BACK = "form-post"  # the one form that ends at a service; our token is none of its business
PARTS = {"base.html", "parts.html", "code_form.html", "credential_fields.html", "notice.html"}
RENDERER = render.Renderer()
EVERY = pytest.mark.parametrize(("name", "language"), [(name, tongue) for name in NAMES for tongue in LANGUAGES])


class Elements(HTMLParser):
    """Collects every element with its attributes, and the text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def page(name: str, language: str) -> Elements:
    template, context = sample(name, language)
    return Elements(RENDERER.render(template, context, language=language))


@EVERY
def test_a_page_says_its_language_and_direction(name, language):
    (root,) = page(name, language).all("html")
    assert root["lang"] == language
    assert root["dir"] == Locale.parse(language).text_direction


@EVERY
def test_nothing_inline_and_nothing_foreign(name, language):
    drawn = page(name, language)
    assert not drawn.all("style")
    assert all(script == {"type": "module", "src": script["src"]} for script in drawn.all("script"))
    for tag, attributes in drawn.found:
        assert "style" not in attributes, tag
        assert not [one for one in attributes if one.startswith("on")], tag
        for kind in ("src", "action"):
            ours = attributes.get(kind, "/").startswith("/")
            assert ours or (name, tag, kind) == (GOING_BACK, "form", "action"), (tag, attributes)
    for attributes in [*drawn.all("link"), *drawn.all("img")]:
        assert (attributes.get("href") or attributes.get("src", "")).startswith("/static/")


@EVERY
def test_every_form_carries_its_token_and_is_sent(name, language):
    drawn = page(name, language)
    forms = drawn.all("form")
    tokens = [one for one in drawn.all("input") if one.get("name") == "form_token"]
    assert len(tokens) == (0 if name == GOING_BACK else len(forms))
    assert all(form["method"] == "post" and form["id"] for form in forms)


def test_what_came_from_outside_is_escaped():
    html = RENDERER.render(*sample("consent-down", "en"), language="en")
    assert "alert(1)" in html
    assert "<script>alert" not in html


@pytest.mark.parametrize(
    ("name", "form", "buttons", "fields"),
    [
        ("sign-in", "sign-in", [("action", "sign-in")], ["form_token", "username", "password"]),
        ("code", "one-time-code", [("action", "continue")], ["form_token", "code"]),
        ("fresh-code", "one-time-code", [("action", "continue")], ["form_token", "code"]),
        ("consent", "consent", [("decision", "share"), ("decision", "refuse")], ["form_token", "shown", "item", "item", "duration", "duration"]),
        ("receipt", "done", [("action", "continue")], ["form_token"]),
        ("stop", "stop", [("action", "stop-sharing")], ["form_token", "ask_erasure"]),
        ("add-to-wallet", "add-to-wallet", [("action", "offer")], ["form_token"]),
        ("sign-out", "sign-out", [("action", "sign-out"), ("action", "stay")], ["form_token"]),
    ],
)  # fmt: skip
def test_forms_have_the_names_a_machine_may_rely_on(name, form, buttons, fields):
    drawn = page(name, "en")
    assert [one["id"] for one in drawn.all("form")] == [form]
    sent = [one for one in drawn.all("button") if one.get("type") == "submit" and "hidden" not in one]
    assert [(one["name"], one["value"]) for one in sent] == buttons
    assert [one["name"] for one in drawn.all("input")] == fields


@pytest.mark.parametrize(("name", "identity"), [("offer", "credential-offer"), ("tx-code", "tx-code"), ("problem-expired", "problem"), ("problem-expired", "correlation-id")])  # fmt: skip
def test_ids_a_machine_may_rely_on(name, identity):
    assert [one for _, one in page(name, "en").found if one.get("id") == identity]


def test_consent_ticks_nothing_and_asks_in_order():
    html = RENDERER.render("consent.html", asking("en"), language="en")
    boxes = [one for one in Elements(html).all("input") if one["type"] == "checkbox"]
    assert [(one["name"], one["value"]) for one in boxes] == [("item", "contact.iban"), ("item", "contact.email")]
    assert not [one for one in boxes if "checked" in one]
    text = Elements(html).text
    places = [text.index(part) for part in ("norr.example", "To decide if", "Storgatan 12", "NR91", "Until 14 June", "They keep it for 5", "If you do not", "Fill in the form by hand", "Don\u2019t share")]  # fmt: skip
    assert places == sorted(places)


def test_consent_shows_value_register_and_date_of_every_required_item():
    drawn = page("consent", "en").text
    for text in ("Storgatan 12", "Population register", "as of", "12 March 2026", "20,000 to 30,000", "Tax Agency"):
        assert text in drawn


def test_a_row_whose_register_is_down_says_so_and_cannot_be_ticked():
    drawn = page("consent-down", "en")
    assert drawn.text.count("The register is not answering as it should at the moment.") == 1
    assert "contact.iban" not in [one.get("value") for one in drawn.all("input")]
    assert "Try again" in drawn.text
    assert "Protected." in drawn.text


def test_a_register_and_its_date_are_said_once():
    html = RENDERER.render("consent.html", asking("en"), language="en")
    drawn = Elements(html).text
    headings = [" ".join(Elements(one).text.split()) for one in re.findall(r"<h3.*?</h3>", html, re.DOTALL)]
    assert headings == [
        "Population register as of 12 March 2026",
        "Tax Agency as of 12 March 2026",
        "Tax Agency as of 12 March 2026",
        "your account with us as of 12 March 2026",
    ]
    assert drawn.count("12 March 2026") == len(headings)
    older = page("consent-down", "en").text
    assert older.count("as of") == 3, "a value of another day says its own"
    assert "as of March 1988" in older
    assert drawn.count("They keep it for 5 years at most") == 1


def test_what_has_no_value_says_so_in_its_own_words_and_gives_no_reason():
    """The reason why something is needed is none for what is not shown."""
    html = RENDERER.render(*sample("consent-down", "en"), language="en")
    for item, words in [
        ("address.municipality", "Protected. This is not shown here and will not be shared."),
        ("family.custody", "The register holds nothing for you. If you share, the service learns only that."),
        ("income.taxable_band", "The register answered in a form that we cannot use. Nothing of this is shared now."),
    ]:
        row = re.search(rf'data-item="{re.escape(item)}">(.*?)</div>', html, re.DOTALL)
        assert words in row[1]
        assert "semel-row__reason" not in row[1]
        reason = next(one["reason"] for one in asking("en")["rows"] if one["id"] == item)
        assert reason not in html


def test_every_value_can_be_wrong():
    """Beside each row: how its register corrects a mistake, from the operator's declarations."""
    drawn, rows = page("consent", "en"), asking("en")["rows"]
    assert drawn.text.count("Is this wrong?") == len(rows)
    assert drawn.text.count("Tell the population register what is wrong.") == 6
    links = [one["href"] for one in drawn.all("a") if "corrections" in one.get("href", "")]
    assert set(links) == {"https://population.norr.example/corrections", "https://tax.norr.example/corrections"}
    assert page("consent-down", "en").text.count("Is this wrong?") == 6, "what is withheld or late cannot be judged"


def test_who_is_signed_in_stands_on_the_page_that_asks():
    assert "You are signed in as Maria Sofia O'Neill Lindqvist." in page("consent", "en").text


@pytest.mark.parametrize("name", ["consent", "sign-in-alone", "sign-in-account"])
def test_a_choice_has_more_than_one_way(name):
    drawn = page(name, "en")
    named = [one["name"] for one in drawn.all("input") if one["type"] == "radio"]
    assert all(named.count(one) > 1 for one in named)
    assert "Until 14 June 2026" in drawn.text


@EVERY
def test_no_address_is_a_links_text(name, language):
    html = RENDERER.render(*sample(name, language), language=language)
    for text in re.findall(r"<a [^>]*>(.*?)</a>", html, re.DOTALL):
        assert "://" not in text


@EVERY
def test_no_colon_comes_twice(name, language):
    assert not re.search(r"[^\W\d_]::", page(name, language).text)


@EVERY
def test_every_time_names_its_zone(name, language):
    html = RENDERER.render(*sample(name, language), language=language)
    for moment, told in re.findall(r'<time datetime="([^"]+)">(.*?)</time>', html):
        assert ("T" not in moment) or told.endswith("<bdi>UTC</bdi>"), told


def test_both_answers_are_alike():
    share, refuse = (one for one in page("consent", "en").all("button") if one.get("name") == "decision")
    assert share["class"].replace("semel-share", "") == refuse["class"].replace("semel-refuse", "")


# fmt: off
FORBIDDEN = {
    "en": r"\b(scopes?|claims?|relying part(?:y|ies)|grants?|granted|revok\w*|revocation|consents?|tokens?|credentials?|attributes?|authori[sz]\w*|data subjects?)\b",
    "ar": r"(نطاق|مطالبة|الطرف المعتمد|إلغاء الإذن|سحب الموافقة|رمز مميز|بيانات اعتماد)",
}
# fmt: on


@EVERY
def test_plain_words(name, language):
    assert not re.findall(FORBIDDEN[language], page(name, language).text, re.IGNORECASE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_missing_or_stale(language):
    folder = render.LOCALES / language / "LC_MESSAGES"
    with (folder / "semel.po").open("rb") as stream:
        texts = read_po(stream, locale=language)
    with (folder / "semel.mo").open("rb") as stream:
        compiled = read_mo(stream)
    said = {message.id for message in texts if message.id}
    assert said == sentences(), "run assets/texts.py"
    holder = re.compile(r"%\(\w+\)s")
    for message in texts:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if not message.id or (language == "en" and not any(strings)):
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        assert all(strings), message.id
        assert not message.fuzzy, message.id
        assert set(holder.findall(strings[-1])) == set(holder.findall(ids[-1])), message.id
        assert _several(compiled[message.id].string) == tuple(strings), f"{message.id}: run assets/texts.py"


def _several(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def sentences() -> set[str | tuple[str, ...]]:
    options = {"**/templates/*.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        found = extract_from_dir(str(render.HERE), [("**/templates/*.html", "jinja2")], options)
        return {message for _file, _line, message, _comments, _context in found}


def test_sentences_are_short():
    for text in sentences():
        for sentence in re.split(r"[.!?]\s", text if isinstance(text, str) else text[0]):
            assert len(sentence.split()) <= 25, sentence


def test_the_languages_are_those_a_visitor_may_choose():
    assert render.languages() == needs.LANGUAGES


def test_language_links_stay_on_the_page():
    html = RENDERER.render("activity.html", {"events": []}, language="en", here="/account/activity?before=9&lang=en")
    assert 'href="?before=9&amp;lang=ar"' in html
    assert 'href="?lang=ar"' in RENDERER.render("activity.html", {"events": []}, language="en")
    for strange in ("//[", "//elsewhere.example/", "/%5b?a=["):
        assert 'href="?' in RENDERER.render("activity.html", {"events": []}, language="en", here=strange)


def test_templates_take_only_what_is_written_down():
    table = (TEMPLATES / "contexts.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+\.html)` \| (.+) \|$", table, re.MULTILINE))
    drawn = {template for _, template, _ in PLAIN} | {"consent.html"}
    assert rows.keys() == drawn == {path.name for path in TEMPLATES.glob("*.html")} - PARTS
    environment = RENDERER._environments["en"]
    free = {"signed_in", "form_token", "language_links", "here", "service", "error", "caller", "page"}
    shared = {"rows", "groups", "differences", "durations", "action", "minutes", "signs_in"}
    for path in TEMPLATES.glob("*.html"):
        source = path.read_text()
        made = set(re.findall(r"(?:{% set |{% macro |import |as )(\w+)", source))
        used = meta.find_undeclared_variables(environment.parse(source)) - made
        known = free | set(environment.globals) | (shared if path.name in PARTS else set())
        written = set(re.findall(r"`(\w+)\??`", rows.get(path.name, "")))
        assert used - known <= written, path.name


@pytest.mark.parametrize("name", [name for name, _, _ in PLAIN])
def test_samples_hold_no_more_than_a_template_uses(name):
    template, context = sample(name, "en")
    source = (TEMPLATES / template).read_text() + (TEMPLATES / "base.html").read_text()
    source += (TEMPLATES / "code_form.html").read_text() + (TEMPLATES / "parts.html").read_text()
    assert all(key in source for key in context)


def test_headers_forbid_everything_not_ours():
    sent = render.headers("https://agency.example:8443")
    assert sent["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
        "form-action 'self' https://agency.example:8443; frame-ancestors 'none'; base-uri 'none'"
    )
    away = render.headers("https://agency.example:8443", own_forms=False)
    assert "form-action https://agency.example:8443;" in away["Content-Security-Policy"]
    assert "form-action 'self';" in render.headers()["Content-Security-Policy"]
    assert sent["Cache-Control"] == "no-store"
    assert sent["Referrer-Policy"] == "same-origin"
    assert sent["X-Content-Type-Options"] == "nosniff"
    assert sent["X-Frame-Options"] == "DENY"
    assert sent["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "given",
    ["https://a.example; script-src *", "https://a.example/", "javascript:", "*", "https:", "data:", "blob:", "com.example.app:/x", "http: *", "https://a.example *", "a.example", ""],
)  # fmt: skip
def test_only_an_origin_gets_into_the_policy(given):
    with pytest.raises(ValueError, match="origin"):
        render.headers(given)


@pytest.mark.parametrize("given", ["com.example.app:", "http:", "http://127.0.0.1:8123", "https://[2001:db8::1]:8443"])
def test_where_an_apps_form_may_end(given):
    assert f"form-action 'self' {given};" in render.headers(given)["Content-Security-Policy"]
    if not given.endswith(("1", "3")):
        with pytest.raises(ValueError, match="origin"):
            render.headers(frames=[given])


def test_static_names_are_their_contents():
    known = files.files()
    assert sorted(name.rsplit(".", 1)[1] for name in known) == ["css", "css", "js", "js", "js", "svg"]
    for name, (content, _media_type) in known.items():
        assert hashlib.sha256(content).hexdigest()[:12] == re.findall(r"-([0-9a-f]{12})\.", name)[0]
        assert b"GDS Transport" not in content
        assert b"crest" not in content or name.endswith(".js")
        assert b"url(" not in content


def test_static_files_are_answered_by_name_only():
    name = next(iter(files.files()))
    answer = files.act(name, 0)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for absent in ("../render.py", "", "ltr.css", "..%2frender.py", name + "\x00"):
        assert not files.act(absent, 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [("2026-03-12", "12 March 2026"), ("1988-03", "March 1988"), ("1988", "1988"), ("soon", "soon"), ("2026-13-40", "2026-13-40"), ("<b>", "&lt;b&gt;")],
)  # fmt: skip
def test_days_and_parts_of_days(text, told):
    assert told in render.tell_day(text, Locale.parse("en_GB"))
