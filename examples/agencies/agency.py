"""A reference agency: an ordinary relying party with its own origin that fills its form from the broker.

    python -m examples.agencies.agency norr-childcare --issuer http://localhost:8000 --port 8101 --data ./norr-childcare

Nothing here comes from the product. `relying_party.py` is the integration; this file is the agency's web pages.
"""

import asyncio
import json
import logging
import os
import secrets
import signal
from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import jinja2
import jwt
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.agencies import own_keys
from examples.agencies.fapi import Fapi, Refused
from examples.agencies.form import HERE, Form, clock
from examples.agencies.languages import LANGUAGES, browser_language
from examples.agencies.relying_party import NOT_ELIGIBLE, RelyingParty
from examples.agencies.visits import Visits

STYLE = (HERE / "style.css").read_text("utf-8")
LOG = logging.getLogger("agency")
#: What the broker's answer means to the person, by its error code and, where that says more, its description.
KINDS = {
    ("stopped", ""): "stopped",
    ("access_denied", ""): "refused",
    ("access_denied", NOT_ELIGIBLE): "impossible",  # nobody said no
    ("unmet_authentication_requirements", ""): "unproven",
}
PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class Agency:
    """One agency's service: its form, its public keys, its visitors, its link to the broker."""

    form: Form
    jwks: dict[str, Any]
    visits: Visits
    broker: RelyingParty

    @classmethod
    def open(cls, form: Form, *, issuer: str, url: str, data: Path) -> "Agency":
        """The agency whose keys and visits lie in `data`, made now if this is its first start."""
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = own_keys.load_or_make(data / "client-key.pem")
        public = own_keys.public_jwk(key)
        fapi = Fapi(form.client_id, issuer, key, public["kid"], own_keys.load_or_make(data / "dpop-key.pem"))
        http = httpx2.AsyncClient(timeout=20, trust_env=False)
        broker = RelyingParty(fapi, f"openid use:{form.use}", f"{url}/callback", http)
        return cls(form, {"keys": [public]}, Visits(data / "visits.sqlite"), broker)


@dataclass(frozen=True)
class Call:
    """One request of a visitor's browser; what a page changes in `visit` is kept."""

    agency: Agency
    request: Request
    visit: dict[str, Any]
    language: str

    @property
    def words(self) -> dict[str, str]:
        """The texts in this visitor's language."""
        return self.agency.form.words(self.language)

    def page(self, name: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A page of this agency; scripts are not allowed at all."""
        body = PAGES.get_template(name).render(t=self.words, **context)
        to = f"'self' {self.agency.broker.fapi.issuer}"
        policy = f"default-src 'none'; style-src 'self'; img-src data:; form-action {to}; base-uri 'none'; frame-ancestors 'none'"
        return HTMLResponse(body, status, {"Content-Security-Policy": policy, "Cache-Control": "no-store"})

    def form_page(self, message: dict[str, str] | None = None, status: int = 200) -> Response:
        """The form as it stands in this visit."""
        visit, form = self.visit, self.agency.form
        answer = visit.get("answer", {})
        return self.page(
            "form.html",
            status,
            fields=form.fields(self.language, answer, visit.get("typed", {})),
            documents=form.documents(self.language, answer),
            manage=f"{self.agency.broker.fapi.issuer}/account/sharing",
            fetched=clock(visit["fetched"], self.language) if visit.get("access_token") else "",
            message=message,
        )

    def trouble(self, why: Refused) -> Response:
        """The form, saying why the broker gave nothing, in the visitor's words; the broker's own are for the log."""
        kind = KINDS.get((why.error, why.description)) or KINDS.get((why.error, ""), "failed")
        LOG.warning("the broker refused: %s", why)
        said = {name: self.words[f"{kind}_{name}"] for name in ("title", "text", "reason")}
        return self.form_page({"kind": kind, **said})


async def start(call: Call) -> Response:
    """The two ways to fill in the form; a new application begins here."""
    call.visit.clear()
    return call.page("start.html")


async def fill(call: Call) -> Response:
    """To the broker."""
    return RedirectResponse(await call.agency.broker.fill(call.visit, call.language), 303)


async def callback(call: Call) -> Response:
    """Back from the broker; the form then has an address without a code in it."""
    await call.agency.broker.callback(call.visit, str(call.request.url), call.request.query_params)
    return RedirectResponse("/form", 303)


async def refresh(call: Call) -> Response:
    """Fetch the data once more."""
    if "access_token" not in call.visit:
        return RedirectResponse("/form", 303)
    await call.agency.broker.fetch(call.visit)
    return call.form_page({"kind": "refreshed", "title": call.words["data"], "text": call.words["refreshed"]})


async def form(call: Call) -> Response:
    """The form as it stands."""
    return call.form_page()


async def submit(call: Call) -> Response:
    """A finished form: what a register decides is taken from the broker's answer, never from the browser."""
    sent = await call.request.form()
    call.visit["typed"] = {name: str(value)[:2000] for name, value in sent.items()}
    fields = call.agency.form.fields(call.language, call.visit.get("answer", {}), call.visit["typed"])
    missing = [f["label"] for f in fields if f["required"] and not f["value"].strip()]
    if missing:
        text = call.words["missing"].format(label=", ".join(missing))
        return call.form_page({"kind": "missing", "title": call.words["missing_title"], "text": text}, 422)
    return call.page("done.html", reference=f"{datetime.now(UTC):%Y}-{secrets.token_hex(4).upper()}")


async def sign_out(call: Call) -> Response:
    """Here at once; at the broker, if the person came from there, as they decide."""
    id_token = call.visit.get("id_token")
    call.visit.clear()
    if id_token is None:
        return RedirectResponse("/", 303)
    home = call.agency.broker.redirect_uri.removesuffix("callback")  # registered, character for character
    return RedirectResponse(await call.agency.broker.end_session(id_token, home), 303)


async def held(call: Call) -> Response:
    """What this agency holds from the broker about this visit, for its own visitor; never the access token."""
    return JSONResponse({name: call.visit.get(name) for name in ("subject", "id_token", "answer", "fetched")})


HANDLERS = {
    ("GET", "/"): start,
    ("POST", "/fill"): fill,
    ("GET", "/callback"): callback,
    ("POST", "/refresh"): refresh,
    ("GET", "/form"): form,
    ("POST", "/form"): submit,
    ("POST", "/sign-out"): sign_out,
    ("GET", "/visit.json"): held,
}


async def answer(call: Call) -> Response:
    """The page for this call; whatever goes wrong with the broker, the person still has their form."""
    try:
        return await HANDLERS[call.request.method, call.request.url.path](call)
    except Refused as why:
        return call.trouble(why)
    except (jwt.PyJWTError, httpx2.HTTPError, KeyError) as why:
        return call.trouble(Refused("failed", type(why).__name__))


def application(agency: Agency) -> Starlette:
    """The agency's URLs; a cookie of its own finds the visit."""
    cookie = agency.form.client_id

    async def page(request: Request) -> Response:
        wanted = request.query_params.get("lang") or request.cookies.get(f"{cookie}-language")
        language = wanted if wanted in LANGUAGES else browser_language(request.headers.get("accept-language", ""))
        if request.method == "POST" and request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return PlainTextResponse("This form can only be sent from this site.", 403)
        visit_id = request.cookies.get(cookie, "")
        visit = agency.visits.find(visit_id)
        if visit is None:
            visit_id, visit = agency.visits.start(), {}
        response = await answer(Call(agency, request, visit, language))
        agency.visits.save(visit_id, visit)
        response.set_cookie(cookie, visit_id, httponly=True, samesite="lax")
        if wanted == language:
            response.set_cookie(f"{cookie}-language", language, samesite="lax")
        return response

    async def logged_out(request: Request) -> Response:
        """The broker says that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.8)."""
        token = (await request.form()).get("logout_token", "")
        try:
            agency.visits.end(await agency.broker.logged_out(str(token)))
        except (Refused, jwt.PyJWTError, KeyError) as why:
            return JSONResponse({"error": "invalid_request", "error_description": type(why).__name__}, 400)
        return Response(headers={"Cache-Control": "no-store"})

    jwks = JSONResponse(agency.jwks, headers={"Cache-Control": "max-age=300"})
    style = Response(f":root {{ --brand: {agency.form.declared['colour']}; }}\n{STYLE}", media_type="text/css")
    pages = [Route(path, page, methods=[method]) for method, path in HANDLERS]
    told = Route("/backchannel-logout", logged_out, methods=["POST"])
    return Starlette(routes=[*pages, told, Route("/jwks.json", always(jwks)), Route("/style.css", always(style))])


def always(response: Response) -> Any:
    """An endpoint with one fixed answer."""

    async def endpoint(_: Request) -> Response:
        return response

    return endpoint


async def serve(app: Starlette, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    await server.serve()


def main() -> None:
    """The command line."""
    parser = ArgumentParser(description="A reference agency for the demo")
    parser.add_argument("agency", help="norr-childcare or norr-planning")
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    asked = parser.parse_args()
    url = f"http://127.0.0.1:{asked.port}"
    agency = Agency.open(Form.load(asked.agency), issuer=asked.issuer, url=url, data=asked.data)
    print(json.dumps({"id": agency.form.client_id, "url": url}), flush=True)
    asyncio.run(serve(application(agency), asked.port))
    os._exit(0)  # the embedded server's threads are not done yet, and abort when the interpreter goes away under them


if __name__ == "__main__":
    main()
