"""The table of contents: every URL, what gathers, what acts, how it runs, and the text that defines it.

`gather(request)` is asynchronous and holds no transaction while it waits; `act` is synchronous and cannot wait.
How an act runs: `none` (no database), `read`, `write` (one short transaction), `entry` (by the ledger's committer), `either` (as
`entry` where its facts say `enters`, else as `write`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request

from broker.endpoints import (
    authorize,
    challenge,
    ciba,
    credential,
    credential_offer,
    details_schema,
    device,
    discovery,
    grants,
    health,
    introspection,
    issuer_metadata,
    jwks,
    ledger,
    logout,
    nonce,
    openapi,
    par,
    poll,
    prefill,
    registration,
    revocation,
    sandbox,
    ssf_configuration,
    stream_control,
    streams,
    token,
    userinfo,
)
from broker.errors import Speaks
from broker.pages import check_session, files, problem
from broker.pages.agency import reference
from broker.pages.citizen import (
    account,
    activate,
    change_credentials,
    client_logo,
    code_entry,
    consent,
    decide,
    decline,
    documents,
    not_possible,
    one_time_code,
    phone,
    phone_confirm,
    public_pages,
    receipt,
    requests,
    security,
    sign_in,
    sign_out,
    stand_in,
    transaction_code,
)

Runs = Literal["none", "read", "write", "entry", "either"]


@dataclass(frozen=True)
class Route:
    """One row: `spec` names the text that defines the endpoint, as `docs/specs.md` spells it."""

    method: str
    path: str
    gather: Callable[[Request], Awaitable[Any]]
    act: Callable[..., Any]
    runs: Runs
    spec: str
    speaks: Speaks


# fmt: off
ROUTES: list[Route] = [
    # What this server is
    Route("GET",  "/.well-known/openid-configuration",         discovery.gather,        discovery.act,        "none",  "OpenID Connect Discovery 1.0 §4", "public"),
    Route("GET",  "/.well-known/oauth-authorization-server",   discovery.gather,        discovery.act,        "none",  "RFC 8414 §3", "public"),
    Route("GET",  "/jwks",                                     jwks.gather,             jwks.act,             "none",  "RFC 7517 §5", "public"),
    Route("GET",  "/.well-known/openid-credential-issuer",     issuer_metadata.gather,  issuer_metadata.act,  "none",  "OpenID4VCI 1.0 §12.2", "public"),
    Route("GET",  "/.well-known/jwt-vc-issuer",                issuer_metadata.gather_keys, issuer_metadata.act, "none", "SD-JWT VC §4", "public"),
    Route("GET",  "/openapi.json",                             openapi.gather,          openapi.act,          "none",  "OpenAPI 3.1", "public"),
    Route("GET",  "/reference",                                reference.gather,        reference.act,        "none",  "OpenAPI 3.1", "page"),
    Route("GET",  "/healthz",                                  health.gather,           health.alive,         "none",  "house", "public"),
    Route("GET",  "/readyz",                                   health.gather_ready,     health.ready,         "read",  "house", "public"),

    # Agencies
    Route("POST", "/par",                                      par.gather,              par.act,              "write", "RFC 9126 §2", "oauth"),
    Route("GET",  "/authorize",                                authorize.gather,        authorize.act,        "write", "RFC 6749 §4.1.1", "page"),
    Route("POST", "/authorize",                                authorize.gather_post,   authorize.act_post,   "write", "OpenID Connect Core §3.1.2.1", "page"),
    Route("POST", "/backchannel_authentication",               ciba.gather,             ciba.act,             "write", "CIBA Core §7", "oauth"),
    Route("POST", "/device_authorization",                     device.gather,           device.act,           "write", "RFC 8628 §3.1", "oauth"),
    Route("GET",  "/logout",                                   logout.gather,           logout.act,           "none",  "OpenID Connect RP-Initiated Logout 1.0 §2", "page"),
    Route("POST", "/logout",                                   logout.gather_post,      logout.act,           "none",  "OpenID Connect RP-Initiated Logout 1.0 §2", "page"),
    Route("POST", "/logout/decision",                          logout.gather_decision,  logout.act_decision,  "write", "OpenID Connect RP-Initiated Logout 1.0 §3", "page"),
    Route("GET",  "/rar/prefill/v1",                           details_schema.gather,   details_schema.act,   "none",  "RFC 9396", "public"),
    Route("POST", "/register",                                 registration.gather,     registration.act,     "write", "RFC 7591 §3", "oauth"),
    Route("GET",  "/register/{id}",                            registration.gather_own, registration.act_read, "none", "RFC 7592 §2", "oauth"),
    Route("PUT",  "/register/{id}",                            registration.gather_replace, registration.act_replace, "write", "RFC 7592 §2", "oauth"),
    Route("DELETE", "/register/{id}",                          registration.gather_own, registration.act_remove, "write", "RFC 7592 §2", "oauth"),
    Route("POST", "/token",                                    token.gather,            token.act,            "either", "RFC 6749 §3.2", "oauth"),
    Route("POST", "/revocation",                               revocation.gather,       revocation.act,       "write", "RFC 7009", "oauth"),
    Route("POST", "/introspection",                            introspection.gather,    introspection.act,    "write", "RFC 7662", "oauth"),
    Route("GET",  "/userinfo",                                 userinfo.gather,         userinfo.act,         "either", "OpenID Connect Core §5.3", "resource"),
    Route("POST", "/userinfo",                                 userinfo.gather,         userinfo.act,         "either", "OpenID Connect Core §5.3", "resource"),
    Route("GET",  "/grants/{grant_id}",                        grants.gather,           grants.act,           "write", "Grant Management for OAuth 2.0 §6", "resource"),
    Route("DELETE", "/grants/{grant_id}",                      grants.gather_revoke,    grants.act_revoke,    "entry", "Grant Management for OAuth 2.0 §6", "resource"),
    Route("GET",  "/prefill",                                  prefill.gather,          prefill.act,          "entry", "house", "resource"),

    # Security events for agencies
    Route("GET",  ssf_configuration.PATH,                      ssf_configuration.gather, ssf_configuration.act, "none", "OpenID Shared Signals Framework 1.0 §7", "public"),
    Route("GET",  ssf_configuration.EVENT,                     ssf_configuration.gather_schema, ssf_configuration.act, "none", "house", "public"),
    Route("GET",  streams.PATH,                                streams.gather_read,     streams.act_read,     "write", "OpenID Shared Signals Framework 1.0 §8.1.1", "resource"),
    Route("POST", streams.PATH,                                streams.gather_create,   streams.act_create,   "write", "OpenID Shared Signals Framework 1.0 §8.1.1", "resource"),
    Route("PATCH", streams.PATH,                               streams.gather_change,   streams.act_update,   "write", "OpenID Shared Signals Framework 1.0 §8.1.1", "resource"),
    Route("PUT",  streams.PATH,                                streams.gather_change,   streams.act_replace,  "write", "OpenID Shared Signals Framework 1.0 §8.1.1", "resource"),
    Route("DELETE", streams.PATH,                              streams.gather_delete,   streams.act_delete,   "write", "OpenID Shared Signals Framework 1.0 §8.1.1", "resource"),
    Route("GET",  stream_control.STATUS,                       stream_control.gather_status, stream_control.act_status, "write", "OpenID Shared Signals Framework 1.0 §8.1.2", "resource"),
    Route("POST", stream_control.STATUS,                       stream_control.gather_set_status, stream_control.act_set_status, "write", "OpenID Shared Signals Framework 1.0 §8.1.2", "resource"),
    Route("POST", stream_control.ADD,                          stream_control.gather_add, stream_control.act_add, "write", "OpenID Shared Signals Framework 1.0 §8.1.3", "resource"),
    Route("POST", stream_control.REMOVE,                       stream_control.gather_remove, stream_control.act_remove, "write", "OpenID Shared Signals Framework 1.0 §8.1.3", "resource"),
    Route("POST", stream_control.VERIFY,                       stream_control.gather_verify, stream_control.act_verify, "write", "OpenID Shared Signals Framework 1.0 §8.1.4", "resource"),
    Route("POST", poll.PATH,                                   poll.gather,             poll.act,             "none",  "RFC 8936", "resource"),

    # Wallets
    Route("GET",  "/offers/{id}",                              credential_offer.gather, credential_offer.act, "read",  "OpenID4VCI 1.0 §4.1.3", "public"),
    Route("POST", "/challenge",                                challenge.gather,        challenge.act,        "none",  "Attestation-based client authentication §8", "oauth"),
    Route("POST", "/nonce",                                    nonce.gather,            nonce.act,            "none",  "OpenID4VCI 1.0 §7", "oauth"),
    Route("POST", "/credential",                               credential.gather,       credential.act,       "entry", "OpenID4VCI 1.0 §8", "resource"),

    # Anyone
    Route("GET",  "/ledger/{path:path}",                       ledger.gather,           ledger.act,           "none",  "C2SP tlog-tiles", "public"),

    # A demo's own description
    Route("POST", "/sandbox/ciba",                             stand_in.gather,         stand_in.act,         "entry", "house", "oauth"),
    Route("GET",  "/sandbox/demo.json",                        sandbox.gather,          sandbox.act,          "none",  "house", "public"),

    # Citizens: signing in, and a journey's pages
    Route("GET",  "/",                                         account.gather_home,     account.act_home,     "none",  "house", "page"),
    Route("GET",  "/help",                                     public_pages.gather("help"), public_pages.act,    "none",  "house", "page"),
    Route("GET",  "/privacy",                                  public_pages.gather("privacy"), public_pages.act, "none",  "house", "page"),
    Route("GET",  "/accessibility",                            public_pages.gather("accessibility"), public_pages.act, "none", "house", "page"),
    Route("GET",  "/cookies",                                  public_pages.gather("cookies"), public_pages.act, "none",  "house", "page"),
    Route("GET",  "/contact",                                  public_pages.gather("contact"), public_pages.act, "none",  "house", "page"),
    Route("GET",  "/status",                                   public_pages.gather("status"), public_pages.act_status, "read", "house", "page"),
    Route("GET",  "/.well-known/security.txt",                 public_pages.gather_security, public_pages.act_security, "none", "RFC 9116", "public"),
    Route("GET",  "/robots.txt",                               public_pages.gather_nothing, public_pages.act_robots, "none", "RFC 9309", "public"),
    Route("GET",  "/favicon.ico",                              public_pages.gather_nothing, public_pages.act_favicon, "none", "house", "public"),
    Route("GET",  "/static/{name}",                            files.gather,            files.act,            "none",  "house", "public"),
    Route("GET",  "/sign-in",                                  sign_in.gather,          sign_in.act,             "none",  "NIST SP 800-63B-4 §3.1.1", "page"),
    Route("POST", "/sign-in",                                  sign_in.gather_password, sign_in.act_password,    "write", "NIST SP 800-63B-4 §3.1.1", "page"),
    Route("GET",  "/sign-in/code",                             one_time_code.gather,    one_time_code.act,       "none",  "RFC 6238", "page"),
    Route("POST", "/sign-in/code",                             one_time_code.gather_code, one_time_code.act_code, "write", "RFC 6238", "page"),
    Route("GET",  "/sign-in/phone",                            phone.gather,            phone.act,               "none",  "BCP 247", "page"),
    Route("POST", "/sign-in/phone",                            phone.gather_press,      phone.act_press,         "write", "BCP 247", "page"),
    Route("GET",  client_logo.PATH,                            client_logo.gather,      client_logo.act,         "none",  "OpenID Connect Registration §2", "public"),
    Route("GET",  "/sign-in/phone/qr.svg",                     phone.gather_qr,         phone.act_qr,            "none",  "BCP 247", "public"),
    Route("GET",  "/x",                                        phone_confirm.gather,    phone_confirm.act,       "none",  "BCP 247", "page"),
    Route("POST", "/x",                                        phone_confirm.gather_letters, phone_confirm.act_letters, "read", "BCP 247", "page"),
    Route("GET",  "/x/{code}",                                 phone_confirm.gather_code, phone_confirm.act_code, "none", "BCP 247", "page"),
    Route("POST", "/x/{code}",                                 phone_confirm.gather_answer, phone_confirm.act_answer, "write", "BCP 247", "page"),
    Route("GET",  "/sign-out",                                 sign_out.gather,         sign_out.act,            "none",  "NIST SP 800-63B-4 §5.1", "page"),
    Route("POST", "/sign-out",                                 sign_out.gather_decision, sign_out.act_decision,  "write", "NIST SP 800-63B-4 §5.1", "page"),
    Route("GET",  "/session/check",                            check_session.gather,    check_session.act,       "none",  "OpenID Connect Session Management 1.0 §3.2", "page"),
    Route("GET",  "/problem",                                  problem.gather,          problem.act,          "none",  "OpenID Connect RP-Initiated Logout 1.0 §2", "page"),
    Route("GET",  "/signed-out",                               sign_out.gather_signed_out, sign_out.act_signed_out, "none", "NIST SP 800-63B-4 §5.1", "page"),
    Route("GET",  "/i/{tx}/sign-in",                           sign_in.gather,          sign_in.act,             "none",  "NIST SP 800-63B-4 §3.1.1", "page"),
    Route("POST", "/i/{tx}/sign-in",                           sign_in.gather_password, sign_in.act_password,    "write", "NIST SP 800-63B-4 §3.1.1", "page"),
    Route("GET",  "/i/{tx}/code",                              one_time_code.gather,    one_time_code.act,       "none",  "RFC 6238", "page"),
    Route("POST", "/i/{tx}/code",                              one_time_code.gather_code, one_time_code.act_code, "write", "RFC 6238", "page"),
    Route("GET",  "/i/{tx}/phone",                             phone.gather,            phone.act,               "none",  "BCP 247", "page"),
    Route("POST", "/i/{tx}/phone",                             phone.gather_press,      phone.act_press,         "write", "BCP 247", "page"),
    Route("GET",  "/i/{tx}/continue",                          authorize.gather_continue, authorize.act_continue, "write", "RFC 6749 §4.1.1", "page"),
    Route("GET",  "/i/{tx}/consent",                           consent.gather,          consent.act,          "either", "ISO/IEC 29184", "page"),
    Route("POST", "/i/{tx}/consent",                           decide.gather,           decide.act,           "entry", "ISO/IEC TS 27560", "page"),
    Route("POST", "/i/{tx}/decline",                           decline.gather,          decline.act,          "write", "RFC 6749 §4.1.2.1", "page"),
    Route("GET",  "/i/{tx}/not-possible",                      not_possible.gather,     not_possible.act,     "none",  "RFC 6749 §4.1.2.1", "page"),
    Route("POST", "/i/{tx}/not-possible",                      not_possible.gather_back, not_possible.act_back, "write", "RFC 6749 §4.1.2.1", "page"),
    Route("GET",  "/i/{tx}/done",                              receipt.gather,          receipt.act,          "none",  "ISO/IEC TS 27560", "page"),
    Route("POST", "/i/{tx}/done",                              receipt.gather_continue, receipt.act_continue, "write", "RFC 6749 §4.1.2", "page"),

    # Citizens: a link of the support desk
    Route("GET",  "/activate/{token}",                         activate.gather,         activate.act,            "none",  "NIST SP 800-63B-4 §4.2", "page"),
    Route("POST", "/activate/{token}",                         activate.gather_answer,  activate.act_answer,     "write", "NIST SP 800-63B-4 §4.2", "page"),

    # Citizens: a device's code
    Route("GET",  "/device",                                   code_entry.gather,       code_entry.act,          "none",  "RFC 8628 §3.3", "page"),
    Route("POST", "/device",                                   code_entry.gather_code,  code_entry.act_code,     "write", "RFC 8628 §3.3", "page"),
    Route("GET",  "/device/{tx}",                              code_entry.gather_request, code_entry.act_request,    "none",  "RFC 8628 §5.4", "page"),
    Route("POST", "/device/{tx}",                              code_entry.gather_press, code_entry.act_press,    "write", "RFC 8628 §5.4", "page"),

    # Citizens: their account
    Route("GET",  "/account",                                  account.gather,          account.show_account,    "read",  "house", "page"),
    Route("GET",  "/account/sharing",                          account.gather,          account.show_sharing,    "read",  "house", "page"),
    Route("GET",  "/account/sharing/{id}",                     account.gather,          account.show_permission, "read",  "house", "page"),
    Route("GET",  "/account/sharing/{id}/stop",                account.gather,          account.ask_stop,        "read",  "GDPR art. 7(3)", "page"),
    Route("POST", "/account/sharing/{id}/stop",                account.gather_stop,     account.stop,            "entry", "GDPR art. 7(3)", "page"),
    Route("GET",  "/account/activity",                         account.gather,          account.show_activity,   "read",  "house", "page"),
    Route("GET",  "/account/requests",                         requests.gather_list,    requests.act_list,       "none",  "CIBA Core §8", "page"),
    Route("GET",  "/account/requests/{tx}",                    requests.gather,         requests.act,            "none",  "CIBA Core §8", "page"),
    Route("POST", "/account/requests/{tx}",                    requests.gather_press,   requests.act_press,      "write", "CIBA Core §8", "page"),
    Route("GET",  "/account/security",                         security.gather,         security.show,           "read",  "NIST SP 800-63B-4 §4.1", "page"),
    Route("POST", "/account/security",                         security.gather_end,     security.end,            "write", "NIST SP 800-63B-4 §4.1", "page"),
    Route("GET",  "/account/security/password",                change_credentials.gather, change_credentials.show_password, "none", "NIST SP 800-63B-4 §4.1", "page"),
    Route("POST", "/account/security/password",                change_credentials.gather_password, change_credentials.act_password, "write", "NIST SP 800-63B-4 §4.1", "page"),
    Route("GET",  "/account/security/app",                     change_credentials.gather, change_credentials.show_app, "none",  "NIST SP 800-63B-4 §4.1", "page"),
    Route("POST", "/account/security/app",                     change_credentials.gather_app, change_credentials.act_app, "write", "NIST SP 800-63B-4 §4.1", "page"),
    Route("GET",  "/account/documents",                        documents.gather,        documents.documents,     "read",  "house", "page"),
    Route("GET",  "/account/documents/{id}/add-to-wallet",     documents.gather,        documents.add,           "read",  "house", "page"),
    Route("POST", "/account/documents/{id}/add-to-wallet",     documents.gather_add,    documents.make_offer,    "entry", "OpenID4VCI 1.0 §4", "page"),
    Route("GET",  "/account/documents/offers/{id}",            documents.gather,        documents.show_offer,    "read",  "OpenID4VCI 1.0 §4.1.3", "page"),
    Route("GET",  "/account/documents/offers/{id}/qr.svg",     documents.gather,        documents.qr_code,       "read",  "OpenID4VCI 1.0 §4.1.3", "page"),
    Route("GET",  "/account/documents/offers/{id}/code",       documents.gather,        transaction_code.ask,    "read",  "OpenID4VCI 1.0 §6.1", "page"),
    Route("POST", "/account/documents/offers/{id}/code",       transaction_code.gather_code, transaction_code.show, "write", "OpenID4VCI 1.0 §6.1", "page"),
]
# fmt: on
