"""The composition root and the one runner: a row of the route table in, an HTTP response out.

Only this module reads a clock. A row's `act` is committed when the runner gets its answer back; nothing is sent before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.routing import Route as StarletteRoute

from broker import cleanup, database_lock, disk, errors, ledger_clock, needs, parameters, signing_keys, telemetry
from broker.answers import INTERACTION, Answer, Json, Later, Page, Raw, Refusal, interaction_id
from broker.clients.mutual_tls import MutualTls
from broker.clients.registry import Registry
from broker.committer import Committer
from broker.database import SERVING, Database, Tx
from broker.door import Door, Endpoint
from broker.errors import Speaks
from broker.evidence import registers
from broker.notices.delivery import Courier
from broker.notices.outbox import Outbox
from broker.notices.security_events import Signals
from broker.outbound import Outbound
from broker.pages import operator_texts, problem, render
from broker.publisher import Publisher
from broker.routes import ROUTES, Route
from broker.settings import Settings
from broker.signing_keys import SigningKeys
from consent import catalogue, checkpoint, sign_in
from keys import canonical
from keys.keyring import RootKeyring
from keys.sources import sealed
from keys.vault import Vault
from wallet import credential_type


def clock() -> int:
    """Microseconds since 1970, UTC, by this machine."""
    return time.time_ns() // 1000


def assemble(settings: Settings, now: Callable[[], int]) -> tuple[needs.Parts, Publisher | None]:
    """Wire the parts from the settings; on SQLite the publisher is one of them, elsewhere it is a process of its own.

    Raises `BadDeclaration` or `BadClient` for an operator's file that is wrong.
    """
    database = Database.open(settings.database, wait=SERVING)
    roots = RootKeyring.parse(settings.root_keyring_text())
    with database.read() as tx:
        signing = SigningKeys.load(tx, roots.ring("signing"))
    outbound = Outbound.open(settings.egress_allow, settings.client_egress_allow, settings.egress_ca_file)
    known = catalogue.load(settings.config_dir)
    signals = Signals(settings.issuer, Outbox(roots.ring("outbox")), roots.ring("signals"))
    judge = ledger_clock.judge(settings.mode, machine=now is clock)
    from_server = database.dialect == "postgresql" and now is clock
    parts = needs.Parts(
        issuer=settings.issuer,
        mode=settings.mode,
        secure=settings.secure,
        durations=settings.durations,
        trusted_proxies=settings.trusted_proxies,
        database=database,
        committer=Committer(database, clock=None if from_server else now, applied=signals.applied, judge=judge),
        roots=roots,
        signing=signing,
        vault=Vault(settings.person_keys),
        catalogue=known,
        uses=sign_in.uses(settings.config_dir, known),
        registry=Registry.load(
            settings.config_dir,
            outbound.client_addresses,
            mode=settings.mode,
            database=database,
            mutual_tls=MutualTls.load(settings.mtls_origin, settings.client_ca_file),
            own=(settings.issuer, settings.mtls_origin),
        ),
        registers=registers.load(settings.config_dir, egress=outbound.registers, known=known),
        credentials=credential_type.load(settings.config_dir),
        outbound=outbound,
        outbox=signals.outbox,
        signals=signals,
        data_dir=settings.data_dir,
        ledger_dir=settings.ledger_dir,
        legacy=settings.legacy,
        clock=now,
        publish_every=settings.checkpoint_seconds,
        server_clock=from_server,
    )
    return parts, publisher(settings, database, roots, now) if database.dialect == "sqlite" else None


def publisher(settings: Settings, database: Database, roots: RootKeyring, now: Callable[[], int]) -> Publisher:
    """Make the publisher, the one holder of the ledger's signing keys."""
    with database.read() as tx:
        loaded = sealed.load(tx, roots.ring("ledger"), ["ledger"])
    keys = [loaded.signer("ledger", alg) for alg in checkpoint.ALGORITHMS.values()]
    signers = [checkpoint.Signer.of(settings.ledger_origin, key) for key in keys]
    judge = ledger_clock.judge(settings.mode, machine=now is clock)
    return Publisher(database, settings.ledger_dir, signers, clock=now, judge=judge)


def create_app(settings: Settings, *, now: Callable[[], int] = clock) -> FastAPI:
    """Build the application on a database that `semel init` has made: tests and the server call the same function."""
    telemetry.configure()
    wired, publishing = assemble(settings, now)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ring, longest = wired.roots.ring("signing"), max((c.lifetime for c in wired.credentials.values()), default=0)
        tasks = [
            asyncio.create_task(cleanup.run(wired.database, wired.vault, wired.signals, now)),
            asyncio.create_task(signing_keys.watch(wired.signing, wired.database, ring)),
            asyncio.create_task(signing_keys.keep(wired.database, ring, settings.key_schedule(longest), now)),
            asyncio.create_task(_courier(wired).run()),
            asyncio.create_task(disk.watch(wired.database, now)),
        ]
        if publishing is not None:
            tasks.append(asyncio.create_task(publishing.run(settings.checkpoint_seconds)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await wired.committer.close()
            await wired.registers.aclose()
            await wired.outbound.aclose()
            wired.database.close()

    app = Door(openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False)
    app.state.parts, app.state.renderer = wired, render.Renderer()
    app.state.operator_texts = operator_texts.load(settings.config_dir)
    for row in ROUTES:
        endpoint = _endpoint(row)
        if "{" not in row.path:
            app.plain[row.method, row.path] = endpoint
        route = StarletteRoute(row.path, endpoint, methods=[row.method])
        if row.runs not in {"none", "read"} and route.methods is not None:
            route.methods.discard("HEAD")  # it comes with GET by itself, and what writes must not be set off by a look
        app.router.routes.append(route)
    app.add_exception_handler(HTTPException, _unrouted)
    return app


def _courier(wired: needs.Parts) -> Courier:
    return Courier(
        wired.database,
        wired.outbound.deliveries,
        wired.outbox,
        keyring=lambda: wired.keyring,
        active=lambda client_id: wired.registry.active(client_id) is not None,
        issuer=wired.issuer,
        clock=wired.clock,
    )


def _endpoint(row: Route) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        started = time.perf_counter_ns()
        telemetry.correlation.set(telemetry.new_correlation_id())
        try:
            response = respond(request, await run(row, request))
        except Exception as fault:  # noqa: BLE001 - a page that cannot be written must not say why
            telemetry.failure("failed", fault, route=row.path)
            said = f"error {telemetry.correlation.get()}\n"
            response = respond(request, Raw(said.encode(), "text/plain", 500, errors.NO_STORE))
        telemetry.log(
            "request",
            method=row.method,
            route=row.path,
            status=response.status_code,
            milliseconds=(time.perf_counter_ns() - started) // 1_000_000,
        )
        return response

    return endpoint


async def run(row: Route, request: Request) -> Answer:
    """Run one row: gather, act in its transaction, and give the answer once that is committed."""
    try:
        parameters.refuse_nul(request)
        parameters.refuse_hosts(request)
        parameters.refuse_prefetch(request, changes=row.runs not in {"none", "read"})
        facts = await row.gather(request)
        result: Any = facts
        if not isinstance(facts, Answer | Refusal):
            result = await _act(row, request, facts)
        return _refused(result, row.speaks, request) if isinstance(result, Refusal) else result
    except needs.Stop as stop:
        return stop.answer  # type: ignore[no-any-return]  # Stop carries an Answer
    except Exception as fault:  # noqa: BLE001 - the one place where every error becomes an answer
        refused = errors.refusal(fault)
        if refused.status >= 500:
            telemetry.failure("failed", fault, route=row.path)
        return _refused(refused, row.speaks, request)


async def _act(row: Route, request: Request, facts: Any) -> Any:
    """Act in the row's transaction; that the session was used is noted in the same one where it writes anyway."""
    wired = needs.parts(request)

    def change(tx: Tx, now: int) -> Any:
        needs.note_use(tx, request, now)
        return row.act(tx, facts, now)

    if row.runs == "entry" or (row.runs == "either" and facts.enters):
        committed = await database_lock.once_free(lambda: wired.committer.submit(change))
        result = committed.result
        return result.finish(committed.entries) if isinstance(result, Later) else result

    async def alone() -> Any:
        if row.runs in {"write", "either"}:
            with wired.database.write() as tx:
                return change(tx, wired.clock())
        if needs.unnoted(request) is not None:
            with wired.database.write() as tx:
                needs.note_use(tx, request, wired.clock())
        if row.runs == "none":
            return row.act(facts, wired.clock())
        with wired.database.read() as tx:
            return row.act(tx, facts, wired.clock())

    return await database_lock.once_free(alone)


def _refused(refused: Refusal, speaks: Speaks, request: Request) -> Answer:
    telemetry.log("refused", error=refused.code, status=refused.status, reason=refused.description[:300])
    said = errors.render(refused, speaks, telemetry.correlation.get(), request.headers.get("authorization"))
    return problem.moved(request, said) if isinstance(said, Page) else said


async def _unrouted(request: Request, fault: Exception) -> Response:
    """Answer what no row serves: 404 and 405, as a page to a browser and as JSON to a program."""
    telemetry.correlation.set(telemetry.new_correlation_id())
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "server_error")
    speaks: Speaks = "page" if "text/html" in request.headers.get("accept", "") else "public"
    response = respond(request, _refused(Refusal(code, status=status), speaks, request))
    if status == 405:
        response.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return response


def _methods(request: Request) -> set[str]:
    """What may be done at the path that was asked for: several rows share one (RFC 9110 §15.5.6)."""
    routes = [route for route in request.app.router.routes if isinstance(route, StarletteRoute)]
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in here for method in route.methods or ()}


def respond(request: Request, answer: Answer) -> Response:
    """Turn an answer into a response, with the headers that every response of its kind carries."""
    wired = needs.parts(request)
    cookies = answer.cookies
    if isinstance(answer, Page):
        seen = needs.visitor(request) if answer.status < 500 else needs.anybody(request)
        language = answer.language or seen.language
        context = {"form_token": seen.form_token, "signed_in": _signed_in(seen), **answer.context}
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        text = request.app.state.renderer.render(answer.template, context, language=language, here=here)
        ends = answer.form_action or needs.client_source(request)
        response = Response(
            text,
            answer.status,
            {**render.headers(ends, own_forms=answer.own_forms, frames=answer.frames), **answer.headers},
            "text/html",
        )
        cookies = (*seen.cookies, *cookies)
    elif isinstance(answer, Json):
        response = Response(canonical.dumps(answer.body), answer.status, dict(answer.headers), "application/json")
    elif isinstance(answer, Raw):
        response = Response(answer.content, answer.status, dict(answer.headers), answer.media_type)
    else:
        response = Response(status_code=answer.status, headers={"Location": answer.location, **answer.headers})
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Referrer-Policy", "same-origin")
    for cookie in cookies:
        cookie.write(response, secure=wired.secure)
    response.headers.setdefault("Date", formatdate(usegmt=True))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if wired.secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    response.headers[INTERACTION] = interaction_id(request.headers.get(INTERACTION, ""))
    return response


def _signed_in(seen: needs.Visitor) -> bool:
    return seen.session is not None and seen.session.state == "full"
