"""Pages as text: templates, languages and the headers a page is sent with (CSP level 3, RFC 9110 §8.5).

What each of the citizens' templates takes stands in `citizen/templates/contexts.md`. Sentences are gettext messages in `locale/`;
`?lang=` on any page changes the language and stays on that page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, dates, numbers
from babel.support import Translations
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, PrefixLoader
from markupsafe import Markup, escape

from broker.answers import check_sources
from consent.value import Writing

HERE = Path(__file__).parent
LOCALES = HERE / "locale"
STATIC = HERE / "static"
DOMAIN = "semel"
DATES = {"en": "en_GB"}


def languages() -> tuple[str, ...]:
    """Name the languages there are catalogues for, English first."""
    found = sorted(folder.name for folder in LOCALES.iterdir() if folder.is_dir())
    return tuple(sorted(found, key=lambda name: name != "en"))


def headers(form_action: str | None = None, *, own_forms: bool = True, frames: Collection[str] = ()) -> dict[str, str]:
    """Give the headers of every page; `form_action` is the one foreign origin its form may end at, besides ours (`own_forms`).

    It is a scheme alone where a policy cannot spell the host (`web_address.policy_source`). `frames`: the foreign origins it may show frames of.

    The policy allows our own style sheets, script, pictures and fonts and nothing else: no inline code, no frames, no
    base address. Raises `ValueError` for what is not an origin, since it would be written into the policy as it stands.
    """
    check_sources(form_action, frames)
    policy = {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self'",
        "font-src": "'self'",
        "form-action": " ".join(["'self'"] * own_forms + [form_action or ""]).strip() or "'none'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    } | ({"frame-src": " ".join(frames)} if frames else {})
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


@cache
def statics() -> Mapping[str, str]:
    """Give the address of every file of `static/` by its plain name: `page.js` to `/static/page-….js`."""
    return {re.sub(r"-[0-9a-f]{12}\.", ".", path.name): f"/static/{path.name}" for path in STATIC.iterdir()}


class Renderer:
    """Renders templates in any language there is a catalogue for.

    `name` is what the service is called in its header; `zone` the IANA time zone in which times are told.
    """

    def __init__(self, *, name: str = "Semel", zone: str = "UTC") -> None:
        self._environments = {language: _environment(language, name, zone) for language in languages()}

    def render(self, template: str, context: Mapping[str, Any], *, language: str, here: str | None = None) -> str:
        """Render a template in a language; `here` is the path and query of the page, kept by the language links.

        Raises `KeyError` for a language without a catalogue and `jinja2.TemplateNotFound` for an unknown template.
        """
        environment = self._environments[language]
        links = [{"code": code, "name": _own_name(code), "href": _switch(here, code)} for code in languages()]
        given = {**context, "language_links": links, "here": here}
        return environment.get_template(template).render(given)


@cache
def _environment(language: str, name: str, zone: str) -> Environment:
    """Make the environment of one language, so that none is ever kept in a global; every renderer of a process shares its templates."""
    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        loader=ChoiceLoader(
            [
                FileSystemLoader([HERE / "citizen" / "templates", HERE / "agency" / "templates"]),
                PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
            ]
        ),
    )
    texts = Translations.load(LOCALES, [language], DOMAIN)
    environment.install_gettext_callables(texts.gettext, texts.ngettext, newstyle=True)  # type: ignore[attr-defined]  # added by jinja2.ext.i18n
    locale, told_in = Locale.parse(DATES.get(language, language)), ZoneInfo(zone)
    environment.globals.update(
        language=language, direction=locale.text_direction, name=name, static=dict(statics()).__getitem__
    )
    environment.filters.update(
        bdi=isolate,
        spelled=spelled,
        host=host,
        day=lambda text: tell_day(text, locale),
        moment=lambda when: tell_moment(when, locale, told_in),
        moment_day=lambda when: tell_day(_local(when, told_in).date().isoformat(), locale),
    )
    return environment


def isolate(value: object) -> Markup:
    """Wrap data in `<bdi>`, so that its direction never disturbs the sentence around it (Unicode UAX #9)."""
    return Markup("<bdi>{}</bdi>").format(value)


def host(url: str) -> str:
    """Name the site of an address, which is what people are told of a link that leads away."""
    return (urlsplit(url).netloc.rpartition("@")[2] or url).removeprefix("www.")


def spelled(text: str) -> Markup:
    """Write what stands between backticks as code, which may break after its marks, so that it fits a narrow screen."""
    parts = [Markup("<code>{}</code>").format(_breakable(part)) if n % 2 else escape(part) for n, part in enumerate(text.split("`"))]  # fmt: skip
    return Markup("").join(parts)


def _breakable(code: str) -> Markup:
    return Markup("<wbr>").join(re.split(r"(?<=[_/:.-])(?=\w)", code))


def tell_day(text: str, locale: Locale) -> Markup:
    """Tell a day, or only a month or a year of it: `2026-03-12`, `1988-03`, `1988`; anything else as it stands."""
    told = _told(text, locale)
    return isolate(text) if told is None else Markup('<time datetime="{}">{}</time>').format(text, told)


@cache
def writing(language: str) -> Writing:
    """Say how a language writes the dates, amounts, languages, countries and time zones of a value; an unknown code stays."""
    locale = Locale.parse(DATES.get(language, language))
    return Writing(
        day=lambda text: _told(text, locale) or text,
        tongue=lambda code: _tongue(code, locale),
        country=lambda code: locale.territories.get(code, code),
        zone=lambda name: _zone_name(name, locale),
        money=lambda amount, currency: _money(amount, currency, locale),
    )


def _tongue(code: str, locale: Locale) -> str:
    try:
        return str(Locale.parse(code, sep="-").get_display_name(locale) or code)
    except (ValueError, UnknownLocaleError):
        return str(locale.languages.get(code, code))


def _zone_name(name: str, locale: Locale) -> str:
    try:
        return str(dates.get_timezone_location(ZoneInfo(name), locale=locale))
    except (LookupError, ValueError, OSError):
        return name


def _money(amount: str, currency: str, locale: Locale) -> str:
    try:
        return numbers.format_currency(Decimal(amount), currency, locale=locale, format_type="name")
    except (ArithmeticError, ValueError, numbers.UnknownCurrencyError):
        return f"{amount} {currency}"


def _told(text: str, locale: Locale) -> str | None:
    parts = text.split("-")
    try:
        whole = date(*([int(part) for part in parts] + [1, 1])[:3])
    except (ValueError, TypeError):
        return None
    if len(parts) == 3:
        return dates.format_date(whole, "long", locale=locale)
    return dates.format_skeleton("yMMMM", whole, locale=locale) if len(parts) == 2 else str(whole.year)


def tell_moment(when: int, locale: Locale, zone: ZoneInfo) -> Markup:
    """Tell a time given in microseconds since 1970, in the zone of the service, to the minute; the zone is named."""
    local = _local(when, zone)
    day = dates.format_date(local, "long", locale=locale)
    pattern = str(dates.get_datetime_format("long", locale=locale)).replace("'", "")
    told = pattern.replace("{1}", day).replace("{0}", dates.format_time(local, "short", locale=locale))
    named = isolate(dates.get_timezone_name(local, width="short", locale=locale))
    return Markup('<time datetime="{}">{} {}</time>').format(local.isoformat(timespec="seconds"), told, named)


def _local(when: int, zone: ZoneInfo) -> datetime:
    """Turn microseconds since 1970 into a time of the zone."""
    return datetime.fromtimestamp(when // 1_000_000, UTC).astimezone(zone)


def _own_name(code: str) -> str:
    """Say what a language calls itself."""
    told = Locale.parse(code).get_display_name(code)
    return (told or code).capitalize()


def _switch(here: str | None, code: str) -> str:
    """Make the address of this page in another language, keeping the rest of its query."""
    if not here:
        return f"?lang={code}"
    kept = [pair for pair in parse_qsl(here.partition("?")[2]) if pair[0] != "lang"]
    return f"?{urlencode([*kept, ('lang', code)])}"
