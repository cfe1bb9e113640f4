"""A context for every state of every citizen template, in the shapes of `contexts.md`."""

from functools import cache
from pathlib import Path
from typing import Any

from broker.pages.citizen import rows as consent_rows
from consent import catalogue, intended_use, notice, sign_in
from consent.request import DataRequest, RequestedItem
from consent.sign_in import Party

CONFIG = Path(__file__).parents[3] / "openid-config"

NOW = 1_773_500_000_000_000
NEVER = "Al-Hasan & <script>alert(1)</script>"
SERVICE = {"name": "City of Norr", "title": "Childcare allowance", "domain": "childcare.norr.example"}
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsstraße 1048576"
FORM = {"form_token": "7f" * 32, "signed_in": True}
ACTIVATE = {
    "form_token": "7f" * 32,
    "action": "/activate/abc",
    "purpose": "account",
    "asks_code": False,
    "alone": False,
    "username": "",
    "error": None,
    "minutes": None,
}
AUTHENTICATOR = {
    **FORM,
    "action": "/account/security/app",
    "back_href": "/account/security",
    "setup": "c2VhbGVk",
    "secret": "ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567",
    "qr_size": 29,
    "qr_path": "M4 4h1v1h-1zM6 4h1v1h-1z",
    "error": None,
    "minutes": None,
}
SESSIONS = [
    {"handle": "AbCdEfGhIjKlMnOpQrStUv", "since": NOW, "used": NOW + 60_000_000, "with_app": True, "this": True},
    {"handle": "BbCdEfGhIjKlMnOpQrStUv", "since": NOW, "used": NOW, "with_app": False, "this": False},
]
SECURITY = {
    **FORM,
    "action": "/account/security",
    "done": None,
    "has_app": True,
    "password_href": "/account/security/password",
    "app_href": "/account/security/app",
    "sessions": SESSIONS,
}


def row(item: str, label: str, *lines: str, required: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "id": item,
        "label": label,
        "lines": list(lines),
        "status": "provided",
        "source": "Population register",
        "as_of": "2026-03-12",
        "required": required,
        "stale": False,
        "help": None,
    } | more


VALUES: dict[str, tuple[str, ...]] = {
    "identity.given_name": ("Maria Sofia",),
    "identity.family_name": ("O'Neill Lindqvist",),
    "identity.birth_date": ("14 March 1988",),
    "address.registered": ("Storgatan 12", "903 26 Norr"),
    "address.municipality": ("Norr",),
    "family.custody": ("Elsa Lindqvist, 2019", "نيلس ليندكفيست، 2022"),
    "income.taxable_band": ("20,000 to 30,000",),
    "contact.iban": ("NR91 1000 0000 0123 4567",),
    "contact.email": ("maria@example.org",),
}
DOWN: dict[str, dict[str, Any]] = {
    "identity.given_name": {"lines": [NEVER]},
    "address.registered": {"lines": [LONG, "903 26 Norr"], "as_of": "1988-03", "stale": True},
    "address.municipality": {"status": "withheld"},
    "family.custody": {"status": "not_held"},
    "income.taxable_band": {"status": "malformed"},
    "contact.iban": {"status": "source_unavailable"},
    "contact.email": {"checked": True},
}
DURATIONS = [
    {"value": "90", "until": "2026-06-14", "checked": True},
    {"value": "365", "until": "2027-03-14", "checked": False},
]


@cache
def declared() -> tuple[catalogue.Catalogue, intended_use.Uses]:
    return catalogue.load(CONFIG), intended_use.load(CONFIG)


OFFICE = intended_use.Processor(
    client_id="norr-processing",
    name={"en": "Norr Processing", "ar": "مركز نور للمعالجة"},
    reason={"en": "It checks the form before the city decides.", "ar": "يتحقق من النموذج قبل أن تقرر المدينة."},
)


def asking(
    language: str, changed: dict[str, dict[str, Any]] | None = None, *, lent: bool = False, **more: Any
) -> dict[str, Any]:
    """The consent page of the real childcare use, with made-up values; with `lent` another agency works for the city."""
    known, uses = declared()
    use = uses.get("norr.childcare-allowance")
    use = use.model_copy(update={"processors": (OFFICE,)}) if lent else use
    text = notice.build(use, DataRequest.whole(use), known, language)
    rows = []
    for item in use.items:
        attribute = known.attribute(item.id)
        rows.append(
            row(
                item.id,
                attribute.labels[language],
                *VALUES.get(item.id, ("?",)),
                required=item.required,
                source=known.register(attribute.source, language),
                reason=text.item(item.id).note,
                **(changed or {}).get(item.id, {}),
            )
        )
    return {
        "form_token": "7f" * 32,
        "signed_in": True,
        "action": "/i/abc/consent",
        "shown": "ab" * 32,
        "service": intended_use.describe(use, language),
        "notice": notice.page(text),
        "rows": rows,
        "groups": consent_rows.grouped(rows, text),
        "person": "Maria Sofia O'Neill Lindqvist",
        "differences": [],
        "durations": DURATIONS,
        "error": None,
        **more,
    }


LIBRARY = Party(
    "c-0",
    {"en": "Norr library", "ar": "مكتبة نور"},
    "library.example",
    "https://library.example/",
    "desk@library.example",
)
ACCOUNT = {
    "account.name": ["Maria Lind"],
    "contact.language": ["English"],
    "contact.email": ["maria@mail.example"],
    "account.email_confirmed": ["Yes"],
}


def signing_in(language: str, *, values: bool) -> dict[str, Any]:
    """The consent page of a website that only wants to know who it is, with the values of an account or without any."""
    known, _ = declared()
    built_in = sign_in.load(CONFIG, known)
    assert built_in is not None
    use = built_in.use(LIBRARY)
    words = [item for word in ("profile", "email") for item in built_in.words[word].values()] if values else []
    items = tuple(RequestedItem(item, required=True) for item in use.item_ids if item in words and item in ACCOUNT)
    asked = DataRequest(use.id, use.version, items, "ongoing")
    text = notice.build(use, asked, known, language)
    rows = [
        row(
            item.id,
            known.attribute(item.id).labels[language],
            *ACCOUNT[item.id],
            required=True,
            source=known.register("account", language),
            reason=text.item(item.id).note,
        )
        for item in items
    ]
    return {
        **asking(language),
        "service": intended_use.describe(use, language),
        "notice": notice.page(text),
        "rows": rows,
        "groups": consent_rows.grouped(rows, text),
        "signs_in": True,
        "durations": DURATIONS[:1],
    }


PERMISSION = {
    "id": "0197f3c2-0000-7000-8000-000000000007",
    "href": "/account/sharing/0197f3c2-0000-7000-8000-000000000007",
    "agency": "City of Norr",
    "domain": "childcare.norr.example",
    "title": "Childcare allowance",
    "purpose": "To decide whether you get the childcare allowance, and how much.",
    "items": ["Given names", "Family name", "Registered address", "Children in your custody"],
    "kind": "ongoing",
    "state": "live",
    "valid_from": NOW,
    "valid_to": NOW + 31_536_000_000_000,
    "ended_at": None,
    "uses": 2,
}
ENDED = {**PERMISSION, "state": "withdrawn", "ended_at": NOW + 7_200_000_000, "uses": 1}
ONCE = {
    **PERMISSION,
    "title": "Building permit",
    "kind": "once",
    "state": "exhausted",
    "ended_at": NOW,
    "valid_to": None,
}


def event(kind: str, seq: int, **more: Any) -> dict[str, Any]:
    return {
        "seq": seq,
        "at": NOW + seq * 60_000_000,
        "type": kind,
        "agency": "City of Norr",
        "title": "Childcare allowance",
        "items": ["Given names", "Registered address"],
        "outcome": "ok",
        "href": PERMISSION["href"],
        **more,
    }


EVERY_WHY = (
    "refused",
    "not_shown",
    "not_held",
    "not_held_told",
    "not_applicable",
    "not_applicable_told",
    "withheld",
    "source_unavailable",
)
NOTED = (
    "permission.refused",
    "sign_in.handed_over",
    "account.activated",
    "account.password_changed",
    "account.second_factor_changed",
    "account.sessions_ended",
    "support.account_created",
    "support.looked_up",
    "support.password_reset",
    "support.second_factor_reset",
    "support.unlocked",
    "support.sessions_listed",
    "support.sessions_ended",
)
EVENTS = [
    event("credential.issued", 6, title="Proof of residence", agency="Semel"),
    event("permission.withdrawn", 5, items=[]),
    event("permission.ended_by_controller", 8, items=[]),
    event("permission.amended", 7),
    event("access.released", 9, processor="Norr Processing"),
    event(
        "access.released", 4, missing=[{"label": LONG, "why": "withheld"}, {"label": "Income", "why": "not_held_told"}]
    ),
    event("access.released", 11, items=[], missing=[{"label": "Income", "why": "source_unavailable"}]),
    event("access.released", 12, repeat=True),
    event("permission.given", 3),
    event("access.previewed", 2, missing=[{"label": "Income", "why": why} for why in EVERY_WHY]),
    event("access.released", 13, items=[], missing=[{"label": "Income", "why": why} for why in EVERY_WHY]),
    *({"at": NOW, "type": kind, "items": [], "missing": [], "repeat": False, "outcome": "ok"} for kind in NOTED),
    event("something.new", 1, agency=None, title=None, href=None),
]
DOCUMENT = {
    "id": "residence",
    "title": "Proof of residence",
    "issuer": "Population register",
    "items": ["Given names", "Family name", "Registered address"],
    "valid_hours": 24,
}
HELD = {"id": "1", "title": "Proof of residence", "issuer": "Population register", "at": NOW}
RECEIPT = {
    "id": PERMISSION["id"],
    "given_at": NOW,
    "until": NOW + 31_536_000_000_000,
    "kind": "ongoing",
    "purpose": PERMISSION["purpose"],
    "items": [
        {"label": "Given names", "outcome": "shared"},
        {"label": "Registered address", "outcome": "shared"},
        {"label": "E-mail address", "outcome": "refused"},
        {"label": "Taxable income of last year", "outcome": "source_unavailable"},
        {"label": "Children in your custody", "outcome": "not_held"},
    ],
    "reference": "1204",
}
SIGNING_IN = {
    "form_token": "7f" * 32,
    "action": "/sign-in",
    "phone_href": "/sign-in/phone",
    "service": None,
    "username": "",
    "error": None,
}
ON_THE_WAY = {
    **SIGNING_IN,
    "action": "/i/abc/sign-in",
    "service": SERVICE,
    "until": NOW + 1_800_000_000,
    "decline_href": "/i/abc/decline",
    "terms": {"policy": "https://childcare.norr.example/privacy", "tos": "https://childcare.norr.example/terms"},
}
CODE = {"form_token": "7f" * 32, "action": "/sign-in/code", "service": SERVICE, "error": None}
GIVEN: dict[str, Any] = {
    "at": NOW,
    "permission_href": "/account/sharing/0197f3c2-0000-7000-8000-000000000007",
    "stop_href": "/account/sharing/0197f3c2-0000-7000-8000-000000000007/stop",
}
START = {"start_href": "https://childcare.norr.example/"}
BACK = {"form": "done", "action": "/i/abc/done", "name": "action", "value": "continue"}
ENTERING = {"form_token": "7f" * 32, "action": "/device", "user_code": "", "error": None, "minutes": None}
ASKED = {
    **FORM,
    "action": "/device/abc",
    "service": SERVICE,
    "user_code": None,
    "binding_message": None,
    "asked_at": NOW,
    "expires_at": NOW + 600_000_000,
    "origin": None,
    "same_network": False,
    "error": None,
}
PHONE = {"form_token": "7f" * 32, "action": "/i/abc/phone", "sign_in_href": "/i/abc/sign-in", "service": SERVICE}
PICTURE = {
    "state": "shown",
    "qr_src": "/static/none.svg",
    "type_at": "https://id.norr.example/x",
    "typed": "WDJB-MJHT",
    "number": 47,
    "expires_at": NOW + 180_000_000,
}
ANOTHER = {
    **FORM,
    "action": "/x/abc",
    "service": SERVICE,
    "screen": ["Firefox", "Windows"],
    "asked_at": NOW,
    "expires_at": NOW + 180_000_000,
    "origin": "203.0.113.7",
    "same_network": False,
    "choices": [23, 47, 80],
    "error": None,
}
WAITING = {
    "id": "abc",
    "href": "/account/requests/abc",
    "service": SERVICE,
    "binding_message": "Counter 7, K-41",
    "asked_at": NOW,
    "expires_at": NOW + 300_000_000,
}
WALLET = {**FORM, "document": DOCUMENT, "back_href": "/account/documents", "error": None}
WALLET_BLOCKS = [
    {"kind": "why", "heading": "Why they ask", "text": "To put a proof into your own wallet.", "items": (), "link": ""},
    {
        "kind": "items",
        "heading": "What they will get",
        "text": "",
        "items": (
            {"id": "identity.given_name", "label": "Given names", "reason": "It is yours.", "kept": "For a day."},
        ),
        "link": "",
    },
    {
        "kind": "alternative",
        "heading": "Another way",
        "text": "On paper.",
        "items": (),
        "link": "https://id.norr.example/",
    },
]

PUBLIC: dict[str, Any] = {
    "operator": "Norr identity office",
    "authority": "Data Protection Office",
    "mail": "help@id.norr.example",
    "phone": "+47 0 555 01 42",
    "hours": "9 to 16",
    "address": "Town Hall, 1 Market Square",
    "sections": [],
}
REGISTERS = [{"name": "Population register", "answers": True}, {"name": "Tax Agency", "answers": False}]

PLAIN: list[tuple[str, str, dict[str, Any]]] = [
    ("home", "home.html", {}),
    ("home-signed-in", "home.html", {"signed_in": True}),
    ("sign-in", "sign_in.html", SIGNING_IN),
    ("sign-in-service", "sign_in.html", {**ON_THE_WAY, "service": {**SERVICE, "logo": "/static/logo.png"}}),
    ("sign-in-service-without-logo", "sign_in.html", ON_THE_WAY),
    *(
        (f"sign-in-{again}", "sign_in.html", {**ON_THE_WAY, "again": again})
        for again in ("anew", "another", "stronger")
    ),
    ("sign-in-lapsed", "sign_in.html", {**ON_THE_WAY, "terms": {}, "error": "lapsed"}),
    ("sign-in-wrong", "sign_in.html", {**SIGNING_IN, "error": "wrong", "username": "maria"}),
    ("sign-in-missing", "sign_in.html", {**SIGNING_IN, "error": "missing"}),
    ("sign-in-too-many", "sign_in.html", {**SIGNING_IN, "error": "too_many", "minutes": 11}),
    ("sign-in-stale", "sign_in.html", {**SIGNING_IN, "error": "stale_form"}),
    ("code", "one_time_code.html", CODE),
    ("code-service", "one_time_code.html", {**CODE, "decline_href": "/i/abc/decline"}),
    *[
        (f"code-{e}", "one_time_code.html", {**CODE, "error": e, "minutes": 2})
        for e in ("missing", "wrong", "used", "too_many")
    ],
    (
        "receipt",
        "receipt.html",
        {
            **FORM,
            "action": "/i/abc/done",
            "service": SERVICE,
            "receipt": RECEIPT,
            "permission_href": PERMISSION["href"],
            "permission_url": "https://id.norr.example" + PERMISSION["href"],
        },
    ),
    *[
        (
            f"already-{outcome}",
            "already.html",
            {**FORM, "outcome": outcome, "service": SERVICE, **more},
        )
        for outcome, more in (
            ("shared", {**GIVEN, **START, "again": BACK}),
            ("returned", {**GIVEN, **START, "again": BACK}),
            ("uncollected", {**GIVEN, **START}),
            ("refused", START),
            ("expired", START),
            ("signed_out", START),
            ("over", {}),
            ("other_browser", {}),
            ("other_session", {}),
        )
    ],
    *[
        (
            f"not-possible-{reason}",
            "not_possible.html",
            {**FORM, "action": "/i/abc/not-possible", "service": SERVICE, "reason": reason, "waits": reason == "proof"},
        )
        for reason in ("second_factor", "proof", "other_person", "not_eligible", "permission_ended", "service_fault")
    ],
    (
        "form-post",
        "form_post.html",
        {
            "action": "https://agency.example/callback?a=1&b=2",
            "fields": [("code", "c0de"), ("state", '"><script>alert(2)')],
        },
    ),
    *[
        (
            f"problem-{code}",
            "problem.html",
            {"code": code, "correlation_id": "c0rr", "minutes": 2, **more},
        )
        for code, more in (
            ("invalid_request", {"agency": NEVER, "contact": "help@norr.example"}),
            ("invalid_client", {"agency": "City of Norr", "contact": None}),
        )
    ],
    *[
        (f"problem-{code}", "problem.html", {"code": code, "correlation_id": "c0rr", "minutes": 2})
        for code in (
            "invalid_request_uri",
            "no_cookies",
            "expired",
            "form_expired",
            "cross_site",
            "not_found",
            "method_not_allowed",
            "too_many",
            "temporarily_unavailable",
            "server_error",
        )
    ],
    (
        "account",
        "account.html",
        {
            "signed_in": True,
            "person": "Maria Sofia O'Neill Lindqvist",
            "live": 2,
            "documents": 1,
            "latest": EVENTS[2],
            "waiting": 1,
        },
    ),
    (
        "account-empty",
        "account.html",
        {
            "signed_in": True,
            "person": LONG,
            "live": 0,
            "documents": 0,
            "offerable": "Proof of residence",
            "latest": None,
            "waiting": 0,
        },
    ),
    ("activate", "activate.html", ACTIVATE),
    ("activate-wrong", "activate.html", {**ACTIVATE, "username": "maria", "error": "wrong_name"}),
    ("activate-short", "activate.html", {**ACTIVATE, "username": "maria", "error": "password_short"}),
    (
        "activate-password",
        "activate.html",
        {**ACTIVATE, "purpose": "password", "asks_code": True, "error": "code_wrong"},
    ),
    ("activate-alone", "activate.html", {**ACTIVATE, "purpose": "password", "alone": True, "error": "password_short"}),
    (
        "activate-app",
        "activate.html",
        {**ACTIVATE, "purpose": "second_factor", "error": "too_many", "minutes": 3},
    ),
    *(
        (f"activation-{outcome}", "activation_over.html", {"outcome": outcome})
        for outcome in ("used", "expired", "unknown")
    ),
    ("authenticator", "authenticator.html", {**AUTHENTICATOR, "back_href": None}),
    ("authenticator-wrong", "authenticator.html", {**AUTHENTICATOR, "error": "wrong"}),
    (
        "security",
        "security.html",
        {**SECURITY, "done": "password"},
    ),
    ("security-no-app", "security.html", {**SECURITY, "has_app": False, "sessions": SESSIONS[:1]}),
    (
        "change-password",
        "change_password.html",
        {**FORM, "action": "/account/security/password", "back_href": "/account/security", "alone": False},
    ),
    (
        "change-password-common",
        "change_password.html",
        {
            **FORM,
            "action": "/account/security/password",
            "back_href": "/account/security",
            "alone": True,
            "error": "password_common",
        },
    ),
    (
        "change-app",
        "change_app.html",
        {
            **FORM,
            "action": "/account/security/app",
            "back_href": "/account/security",
            "has_app": True,
            "error": "wrong",
        },
    ),
    (
        "change-app-first",
        "change_app.html",
        {**FORM, "action": "/account/security/app", "back_href": "/account/security", "has_app": False},
    ),
    ("sharing", "sharing.html", {"signed_in": True, "live": [PERMISSION], "ended": [ENDED, ONCE]}),
    ("sharing-empty", "sharing.html", {"signed_in": True, "live": [], "ended": []}),
    (
        "permission",
        "permission.html",
        {"signed_in": True, "permission": PERMISSION, "events": EVENTS, "stop_href": PERMISSION["href"] + "/stop"},
    ),
    ("permission-ended", "permission.html", {"signed_in": True, "permission": ENDED, "events": [], "stop_href": None}),
    (
        "stop",
        "stop.html",
        {
            **FORM,
            "action": PERMISSION["href"] + "/stop",
            "permission": PERMISSION,
            "back_href": PERMISSION["href"],
            "error": None,
        },
    ),
    (
        "stopped",
        "stopped.html",
        {"signed_in": True, "permission": ENDED, "at": NOW, "ask_erasure": True, "already": False, "reference": "1207"},
    ),
    (
        "stopped-already",
        "stopped.html",
        {"signed_in": True, "permission": ENDED, "at": NOW, "ask_erasure": False, "already": True},
    ),
    ("activity", "activity.html", {"signed_in": True, "events": EVENTS, "more_href": "/account/activity?before=1"}),
    ("activity-empty", "activity.html", {"signed_in": True, "events": [], "more_href": None}),
    (
        "documents",
        "documents.html",
        {
            "signed_in": True,
            "offerable": [
                {
                    "id": "residence",
                    "title": "Proof of residence",
                    "description": "Shows where you live.",
                    "add_href": "/account/documents/residence/add-to-wallet",
                }
            ],
            "documents": [
                {**HELD, "state": "issued", "expires_at": NOW + 86_400_000_000},
                {**HELD, "state": "offered", "expires_at": None},
                {**HELD, "state": "expired", "expires_at": NOW},
            ],
        },
    ),
    ("documents-empty", "documents.html", {"signed_in": True, "offerable": [], "documents": []}),
    (
        "add-to-wallet",
        "add_to_wallet.html",
        {**WALLET, "blocks": WALLET_BLOCKS, "action": "/account/documents/residence/add-to-wallet"},
    ),
    (
        "offer",
        "offer.html",
        {
            "signed_in": True,
            "document": DOCUMENT,
            "offer_uri": "openid-credential-offer://?credential_offer_uri=http%3A%2F%2Flocalhost%3A8000%2Foffers%2Fabc&x=1",
            "qr_src": "/static/none.svg",
            "expires_at": NOW,
            "tx_code_href": "/account/documents/residence/code",
            "documents_href": "/account/documents",
        },
    ),
    ("fresh-code", "fresh_code.html", {**WALLET, "action": "/account/documents/residence/code"}),
    (
        "tx-code",
        "tx_code.html",
        {
            "signed_in": True,
            "tx_code": "482913",
            "document": DOCUMENT,
            "expires_at": NOW,
            "offer_href": "/account/documents/residence/offer",
        },
    ),
    ("device", "device.html", ENTERING),
    ("device-linked", "device.html", {**ENTERING, "user_code": "WDJB-MJHT"}),
    *[
        (f"device-{error}", "device.html", {**ENTERING, "error": error, "minutes": 3, "user_code": "nope"})
        for error in ("missing", "wrong", "too_many", "stale_form")
    ],
    (
        "request-device",
        "request.html",
        {**ASKED, "user_code": "WDJB-MJHT", "origin": "203.0.113.7", "same_network": False},
    ),
    (
        "request-near",
        "request.html",
        {**ASKED, "user_code": "WDJB-MJHT", "origin": "2001:db8::/64", "same_network": True},
    ),
    ("request-message", "request.html", {**ASKED, "binding_message": NEVER, "error": "choose"}),
    ("phone", "phone.html", {**PHONE, "state": None, "error": None}),
    ("phone-alone", "phone.html", {**PHONE, "service": None, "state": None, "error": "too_many", "minutes": 2}),
    ("phone-shown", "phone.html", {**PHONE, **PICTURE, "error": None}),
    ("phone-not-yet", "phone.html", {**PHONE, **PICTURE, "error": "not_yet"}),
    ("phone-approved", "phone.html", {**PHONE, "state": "approved", "error": None}),
    ("phone-declined", "phone.html", {**PHONE, "state": "declined", "error": "not_yet"}),
    ("phone-over", "phone.html", {**PHONE, "state": None, "error": "over"}),
    ("phone-code", "phone_code.html", {**FORM, "action": "/x", "typed": "", "error": None}),
    *[
        (
            f"phone-code-{error}",
            "phone_code.html",
            {**FORM, "action": "/x", "typed": "WDJB", "error": error, "minutes": 3},
        )
        for error in ("missing", "wrong", "too_many", "stale_form")
    ],
    ("phone-confirm", "phone_confirm.html", ANOTHER),
    (
        "phone-confirm-near",
        "phone_confirm.html",
        {**ANOTHER, "service": None, "screen": [], "same_network": True, "error": "choose"},
    ),
    *[
        (f"phone-answered-{outcome}", "phone_answered.html", {"outcome": outcome})
        for outcome in ("approved", "refused", "mismatch", "sign_in_first", "over")
    ],
    ("requests", "requests.html", {"signed_in": True, "waiting": [WAITING, {**WAITING, "binding_message": None}]}),
    ("requests-empty", "requests.html", {"signed_in": True, "waiting": []}),
    *[
        (f"answered-{outcome}", "answered.html", {"outcome": outcome, "service": SERVICE, "permission_href": href})
        for outcome, href in (("shared", PERMISSION["href"]), ("refused", None), ("impossible", None))
    ],
    ("sign-out", "sign_out.html", {**FORM, "action": "/sign-out"}),
    ("logout", "logout.html", {**FORM, "action": "/logout/decision", "agency": "Norr & Co", "back": True}),
    ("logout-plain", "logout.html", {**FORM, "action": "/logout/decision", "agency": None, "back": False}),
    ("signed-out", "signed_out.html", {"frames": (), "onward": None}),
    ("signed-out-back", "signed_out.html", {"frames": (), "onward": "https://childcare.norr.example/bye?state=1"}),
    ("timed-out", "timed_out.html", {}),
    *[
        (f"public-{name}", "public.html", {**PUBLIC, "page": name})
        for name in ("help", "privacy", "accessibility", "cookies", "contact")
    ],
    ("public-status", "public.html", {**PUBLIC, "page": "status", "registers": REGISTERS, "at": NOW}),
    (
        "public-own",
        "public.html",
        {**PUBLIC, "page": "help", "sections": [{"heading": "Visit us", "text": ["At the town hall.", NEVER]}]},
    ),
    ("public-bare", "public.html", {"page": "contact", "sections": []}),
]

ASKING: dict[str, dict[str, Any]] = {
    "consent": {},
    "consent-down": {"changed": DOWN},
    "consent-changed": {"error": "changed", "differences": ["address.registered", "contact.email"]},
    "consent-choose": {"error": "choose"},
    "consent-message": {"binding_message": NEVER},
    "consent-stale": {"error": "stale_form"},
    "consent-lent": {"lent": True},
}
ALONE = {"sign-in-alone": False, "sign-in-account": True}
NAMES = [name for name, _, _ in PLAIN] + list(ASKING) + list(ALONE)


def sample(name: str, language: str) -> tuple[str, dict[str, Any]]:
    """One page to draw: its template and what fills it."""
    if name in ALONE:
        return "consent.html", signing_in(language, values=ALONE[name])
    if name in ASKING:
        return "consent.html", asking(language, **ASKING[name])
    return next((template, context) for known, template, context in PLAIN if known == name)
