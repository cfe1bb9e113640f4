"""Every check of the doctor, in the order it is told: a name, a group, the text that asks for it, and the judgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from broker.doctor import conditions, deployment, fapi, oauth, storage
from broker.doctor.facts import Facts, Verdict, unseen

Group = Literal["deployment", "RFC 9700", "FAPI 2.0", "FAPI 2.0 Message Signing"]


@dataclass(frozen=True)
class Check:
    """One line of the doctor."""

    name: str
    group: Group
    spec: str
    judge: Callable[[Facts], Verdict]
    announced: bool = False  # it looks at what the metadata announces


@dataclass(frozen=True)
class Finding:
    """A check with what it found."""

    check: Check
    verdict: Verdict


# fmt: off
CHECKS: tuple[Check, ...] = (
    Check("issuer",                "deployment",               "OpenID Connect Discovery 1.0 §3",  deployment.issuer),
    Check("mode",                  "deployment",               "house",                            deployment.mode),
    Check("reachable",             "deployment",               "OpenID Connect Discovery 1.0 §4",  deployment.reachable),
    Check("tls",                   "deployment",               "RFC 9325; FAPI 2.0 §5.2",          deployment.tls),
    Check("headers",               "deployment",               "RFC 9700 §4.16; RFC 6797",         deployment.headers),
    Check("clock",                 "deployment",               "RFC 7519 §4.1.4",                  deployment.clock),
    Check("proxies",               "deployment",               "RFC 9700 §4.13",                   deployment.proxies),
    Check("outbound",              "deployment",               "OpenID Connect Core §16",          deployment.outbound),
    Check("root keyring",          "deployment",               "house",                            storage.roots),
    Check("declarations",          "deployment",               "house",                            storage.declarations),
    Check("named files",           "deployment",               "house",                            storage.named_files),
    Check("folders",               "deployment",               "house",                            storage.folders),
    Check("database",              "deployment",               "house",                            storage.database),
    Check("database settings",     "deployment",               "house",                            storage.database_settings),
    Check("round trip",            "deployment",               "house",                            storage.round_trip),
    Check("flushing",              "deployment",               "house",                            storage.flushing),
    Check("disk",                  "deployment",               "house",                            storage.disk),
    Check("secret files",          "deployment",               "house",                            storage.secret_files),
    Check("keys of persons",       "deployment",               "house",                            storage.keys_of_persons),
    Check("signing keys",          "deployment",               "OpenID Connect Core §10.1.1",      storage.signing_keys),
    Check("published keys",        "deployment",               "RFC 7517 §5",                      storage.published_keys),
    Check("ledger",                "deployment",               "C2SP tlog-checkpoint",             storage.ledger),
    Check("letters",               "deployment",               "house",                            storage.letters),
    Check("mail",                  "deployment",               "house",                            deployment.mail),
    Check("legacy",                "deployment",               "house",                            deployment.legacy),
    Check("redirects",             "RFC 9700",                 "§2.1, §4.1",                       oauth.redirects),
    Check("PKCE",                  "RFC 9700",                 "§2.1.1, §4.8",                     oauth.proof_key, announced=True),
    Check("grants",                "RFC 9700",                 "§2.1.2, §2.4",                     oauth.response_types, announced=True),
    Check("mix-up",                "RFC 9700",                 "§4.4",                             oauth.mix_up, announced=True),
    Check("bound tokens",          "RFC 9700",                 "§2.2.1",                           oauth.bound_tokens, announced=True),
    Check("refresh tokens",        "RFC 9700",                 "§2.2.2, §4.14",                    oauth.refresh_tokens),
    Check("privileges",            "RFC 9700",                 "§2.3",                             oauth.token_life),
    Check("client authentication", "RFC 9700",                 "§2.5",                             oauth.client_authentication, announced=True),
    Check("metadata",              "RFC 9700",                 "§2.6",                             oauth.transport, announced=True),
    Check("profiles",              "FAPI 2.0",                 "§5.3.2, §5.3.3",                   fapi.profiles),
    Check("general",               "FAPI 2.0",                 "§5.3.2.1",                         fapi.general, announced=True),
    Check("pushed requests",       "FAPI 2.0",                 "§5.3.2.2",                         fapi.pushed_requests, announced=True),
    Check("algorithms",            "FAPI 2.0",                 "§5.4",                             fapi.algorithms, announced=True),
    Check("signed requests",       "FAPI 2.0 Message Signing", "§5.3",                             fapi.signed_requests, announced=True),
    Check("signed responses",      "FAPI 2.0 Message Signing", "§5.4",                             fapi.signed_responses, announced=True),
    Check("signed introspection",  "FAPI 2.0 Message Signing", "§5.5",                             fapi.signed_introspection, announced=True),
)
# fmt: on


def judge(facts: Facts) -> tuple[Finding, ...]:
    """Judge the facts by every check, in the table's order; where a condition holds, its line says that and nothing else."""
    return tuple(Finding(check, _judged(check, facts)) for check in CHECKS)


def _judged(check: Check, facts: Facts) -> Verdict:
    fatal = [one for one in conditions.seen(facts) if one.condition.line == check.name]
    if not fatal:
        return _unannounced(check, facts) if check.announced and not facts.announced else check.judge(facts)
    return Verdict(
        "fatal", "; ".join(one.finding for one in fatal), "; ".join(dict.fromkeys(one.condition.fix for one in fatal))
    )


def _unannounced(check: Check, facts: Facts) -> Verdict:
    """Judge what would be announced: what is wrong there is wrong, and what is right there was not looked at."""
    what, fix = "what the world is told was", "see the line `reachable` first"
    verdict = check.judge(facts) if facts.computed else unseen(what, fix)
    return unseen(what, fix) if verdict.status == "pass" else verdict
