"""A context for every state of every citizen template, in the shapes of `contexts.md`."""

from typing import Any

NOW = 1_773_500_000_000_000
NEVER = "Al-Hasan & <script>alert(1)</script>"
SERVICE = {"name": "City of Norr", "title": "Childcare allowance", "domain": "childcare.norr.example"}
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsstraße 1048576"
FORM = {"form_token": "7f" * 32, "signed_in": True}


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
        **more,
    }


ROWS = [
    row("identity.given_name", "Given names", "Maria Sofia"),
    row("identity.family_name", "Family name", "O’Neill Lindqvist"),
    row("identity.birth_date", "Date of birth", "14 March 1988", as_of=None),
    row("address.registered", "Registered address", "Storgatan 12", "903 26 Norr", reason="To know where you live"),
    row("address.municipality", "Municipality", "Norr"),
    row("family.custody", "Children in your custody", "Elsa Lindqvist, born 2019", "Nils Lindqvist, born 2022"),
    row("income.taxable_band", "Taxable income of last year", "20,000 to 30,000", source="Tax agency"),
    row("contact.iban", "Bank account", "NR91 1000 0000 0123 4567", required=False, source="Tax agency"),
    row("contact.email", "E-mail address", "maria@example.org", required=False, source="Your account", as_of=None),
]
DOWN = [
    row("identity.given_name", "Given names", NEVER),
    row("address.registered", "Registered address", LONG, "903 26 Norr", "Norr", as_of="1988-03", stale=True),
    row("address.municipality", "Municipality", status="withheld"),
    row("family.custody", "Children in your custody", status="not_held"),
    row("income.taxable_band", "Taxable income of last year", status="source_unavailable", source="Tax agency"),
    row("contact.iban", "Bank account", status="source_unavailable", required=False, source="Tax agency"),
    row("contact.email", "E-mail address", "maria@example.org", required=False, source="Your account", checked=True),
]


def notice(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "blocks": [
            {"kind": "who", "text": "The city has registered this use with us. We checked who they are."},
            {"kind": "why", "text": "To decide whether you get the childcare allowance, and how much."},
            {"kind": "basis", "text": "Your agreement, under article 6 of the Childcare Act."},
            {"kind": "items", "text": "Fetched for you a moment ago.", "items": [r["id"] for r in rows if r["required"]]},
            {"kind": "optional", "text": "", "items": [r["id"] for r in rows if not r["required"]]},
            {"kind": "until", "text": "For one year, to check once a year whether anything changed."},
            {"kind": "consequence", "text": "Nothing changes for you. You fill in the form by hand."},
            {"kind": "alternative", "text": "On paper, at the city hall.", "link": "https://norr.example/paper"},
        ]
    }


def asking(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "form_token": "7f" * 32,
        "signed_in": True,
        "action": "/i/abc/consent",
        "shown": "ab" * 32,
        "service": SERVICE,
        "notice": notice(rows),
        "rows": rows,
        "differences": [],
        "durations": None,
        "error": None,
        **more,
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
ONCE = {**PERMISSION, "title": "Building permit", "kind": "once", "state": "exhausted", "ended_at": NOW, "valid_to": None}


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


EVENTS = [
    event("credential.issued", 6, title="Proof of residence", agency="Semel"),
    event("permission.withdrawn", 5, items=[]),
    event("access.released", 4),
    event("permission.given", 3),
    event("access.previewed", 2),
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
SIGNING_IN = {"form_token": "7f" * 32, "action": "/sign-in", "service": None, "username": "", "error": None}
CODE = {"form_token": "7f" * 32, "action": "/sign-in/code", "service": SERVICE, "error": None}
WALLET = {**FORM, "document": DOCUMENT, "back_href": "/account/documents", "error": None}

SAMPLES: list[tuple[str, str, dict[str, Any]]] = [
    ("home", "home.html", {}),
    ("home-signed-in", "home.html", {"signed_in": True}),
    ("sign-in", "sign_in.html", SIGNING_IN),
    ("sign-in-service", "sign_in.html", {**SIGNING_IN, "service": SERVICE}),
    ("sign-in-wrong", "sign_in.html", {**SIGNING_IN, "error": "wrong", "username": "maria"}),
    ("sign-in-missing", "sign_in.html", {**SIGNING_IN, "error": "missing"}),
    ("sign-in-too-many", "sign_in.html", {**SIGNING_IN, "error": "too_many", "minutes": 11}),
    ("sign-in-stale", "sign_in.html", {**SIGNING_IN, "error": "stale_form"}),
    ("code", "one_time_code.html", CODE),
    *[(f"code-{e}", "one_time_code.html", {**CODE, "error": e, "minutes": 2}) for e in ("missing", "wrong", "used", "too_many")],
    ("consent", "consent.html", asking(ROWS)),
    ("consent-down", "consent.html", asking(DOWN)),
    (
        "consent-changed",
        "consent.html",
        asking(
            ROWS,
            error="changed",
            differences=["address.registered", "contact.email"],
            durations=[
                {"value": "once", "until": None, "checked": True},
                {"value": "year", "until": "2027-03-14", "checked": False},
            ],
        ),
    ),
    ("consent-choose", "consent.html", asking(ROWS, error="choose")),
    ("receipt", "receipt.html", {**FORM, "action": "/i/abc/done", "service": SERVICE, "receipt": RECEIPT, "permission_href": PERMISSION["href"]}),
    *[
        (f"already-{outcome}", "already.html", {"outcome": outcome, "service": SERVICE, "at": NOW, "continue_href": "/i/abc/done"})
        for outcome in ("shared", "refused", "expired", "other_browser", "returned")
    ],
    *[
        (f"problem-{code}", "problem.html", {"code": code, "correlation_id": "c0rr", "contact": "help@norr.example", "minutes": 2, "service": None})
        for code in ("invalid_client", "expired", "form_expired", "cross_site", "not_found", "method_not_allowed", "too_many", "temporarily_unavailable", "server_error")
    ],
    ("account", "account.html", {"signed_in": True, "person": "Maria Sofia O’Neill Lindqvist", "live": 2, "documents": 1, "latest": EVENTS[2]}),
    ("account-empty", "account.html", {"signed_in": True, "person": LONG, "live": 0, "documents": 0, "latest": None}),
    ("sharing", "sharing.html", {"signed_in": True, "live": [PERMISSION], "ended": [ENDED, ONCE]}),
    ("sharing-empty", "sharing.html", {"signed_in": True, "live": [], "ended": []}),
    ("permission", "permission.html", {"signed_in": True, "permission": PERMISSION, "events": EVENTS, "stop_href": PERMISSION["href"] + "/stop"}),
    ("permission-ended", "permission.html", {"signed_in": True, "permission": ENDED, "events": [], "stop_href": None}),
    ("stop", "stop.html", {**FORM, "action": PERMISSION["href"] + "/stop", "permission": PERMISSION, "back_href": PERMISSION["href"], "error": None}),
    ("stopped", "stopped.html", {"signed_in": True, "permission": ENDED, "at": NOW, "ask_erasure": True, "already": False, "reference": "1207"}),
    ("stopped-already", "stopped.html", {"signed_in": True, "permission": ENDED, "at": NOW, "ask_erasure": False, "already": True}),
    ("activity", "activity.html", {"signed_in": True, "events": EVENTS, "more_href": "/account/activity?before=1"}),
    ("activity-empty", "activity.html", {"signed_in": True, "events": [], "more_href": None}),
    (
        "documents",
        "documents.html",
        {
            "signed_in": True,
            "offerable": [{"id": "residence", "title": "Proof of residence", "description": "Shows where you live.", "add_href": "/account/documents/residence/add-to-wallet"}],
            "documents": [
                {**HELD, "state": "issued", "expires_at": NOW + 86_400_000_000},
                {**HELD, "state": "offered", "expires_at": None},
                {**HELD, "state": "expired", "expires_at": NOW},
            ],
        },
    ),
    ("documents-empty", "documents.html", {"signed_in": True, "offerable": [], "documents": []}),
    ("add-to-wallet", "add_to_wallet.html", {**WALLET, "action": "/account/documents/residence/add-to-wallet"}),
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
    ("tx-code", "tx_code.html", {"signed_in": True, "tx_code": "482913", "document": DOCUMENT, "expires_at": NOW, "offer_href": "/account/documents/residence/offer"}),
    ("sign-out", "sign_out.html", {**FORM, "action": "/sign-out"}),
    ("signed-out", "signed_out.html", {}),
    ("timed-out", "timed_out.html", {}),
]
