"""Where the installation stands in the world: address, TLS, headers, clock, proxies, mode (RFC 9325, RFC 9700 §2.6, §4.13)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from broker.doctor.facts import NOBODY, Answer, Facts, Status, Verdict, unseen

SECOND = 1_000_000  # microseconds
CLOCK_WARN, CLOCK_FAIL = 2.0, 8.0  # seconds; eight is how far apart clocks may be for a token to be accepted
CERTIFICATE_WARN, CERTIFICATE_FAIL = 21.0, 3.0  # days
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LONG_HSTS = 15_552_000  # seconds: half a year
UNSEEN = "see the line `reachable` first"


def issuer(facts: Facts) -> Verdict:
    """Whether the address is one that real clients may use."""
    parts = urlsplit(facts.configured.issuer)
    if parts.scheme == "https" and parts.hostname not in LOOPBACK:
        return Verdict("pass", f"{facts.configured.issuer} is https")
    fix = "set SEMEL_ISSUER to the public https address; on an installation that exists it cannot change any more: make a new one"
    return Verdict("fail" if facts.production else "warn", f"{facts.configured.issuer} works on this machine only", fix)


def mode(facts: Facts) -> Verdict:
    """Whether invented people, whose passwords are public, can sign in where they must not."""
    stored, mode_set = facts.stored, facts.configured.mode
    if stored.problem is not None:
        return unseen("who can sign in was", "see the line `database` first")
    if facts.production and stored.personas is None:
        return unseen(
            "whether invented people can sign in was", "see the lines `root keyring` and `declarations` first"
        )
    if stored.mode is None and stored.revision is not None:
        return Verdict(
            "warn",
            "it is not recorded in which mode the database was initialised",
            "run `semel db upgrade`, which records it",
        )
    return Verdict("pass", f"mode {mode_set}")


def reachable(facts: Facts) -> Verdict:
    """Whether the issuer's address answers from here, with metadata that names it."""
    got = facts.served.metadata
    if got.problem is not None:
        return Verdict(
            "fail",
            f"{facts.configured.issuer} does not answer from here: {got.problem}",
            "start the server; then look at DNS, firewall, certificate and the proxy's target, in this order",
        )
    if got.status != 200 or not isinstance(got.body, Mapping):
        return Verdict(
            "fail",
            f"/.well-known/openid-configuration answers {got.status}, not the metadata",
            "let the proxy pass every path on, unchanged, to `semel serve`",
        )
    if got.body.get("issuer") != facts.configured.issuer:
        return Verdict(
            "fail",
            "another issuer answers at this address",
            "let the proxy's target be the server of this installation, or correct SEMEL_ISSUER",
        )
    return Verdict("pass", "the metadata is served where the issuer says")


def tls(facts: Facts) -> Verdict:
    """Whether connections are protected as RFC 9325 and FAPI 2.0 §5.2 ask."""
    seen = facts.served.tls
    if seen is None:
        return Verdict("warn", "no TLS: the issuer is http", "use https for anything but a demo on one machine")
    if seen.problem == NOBODY:
        return unseen("TLS was", UNSEEN)
    if seen.problem is not None:
        return Verdict(
            "fail",
            f"the TLS handshake fails: {seen.problem}",
            "give the proxy a valid certificate for this name with its whole chain; for an authority of your own set SEMEL_EGRESS_CA_FILE",
        )
    if seen.weak is not None:
        return Verdict(
            "fail",
            f"the server also agrees to {seen.weak}",
            "allow TLS 1.3, and of TLS 1.2 only the suites ECDHE with AES-GCM",
        )
    if seen.days_left < CERTIFICATE_WARN:
        return Verdict(
            "fail" if seen.days_left < CERTIFICATE_FAIL else "warn",
            f"the certificate ends in {seen.days_left:.0f} days",
            "renew it now, and let it be renewed by itself a month before it ends",
        )
    return Verdict("pass", f"{seen.version}, nothing weaker; the certificate holds {seen.days_left:.0f} days")


def headers(facts: Facts) -> Verdict:
    """Whether the headers that protect people arrive outside as this program sends them."""
    got = facts.served.page
    if got.problem is not None:
        return unseen("the headers were", UNSEEN)
    missing = [name for name, holds in _protections(facts, got).items() if not holds]
    if missing:
        return Verdict(
            "fail",
            f"a page arrives without: {', '.join(missing)}",
            "let the proxy pass on the headers it gets, and neither remove, replace nor add any of these",
        )
    return Verdict("pass", "pages arrive with everything that protects them")


def _protections(facts: Facts, got: Answer) -> dict[str, bool]:
    policy, hsts = got.headers.get("content-security-policy", ""), got.headers.get("strict-transport-security", "")
    age = hsts.partition("max-age=")[2].partition(";")[0].strip()
    found = {
        "Content-Security-Policy": "frame-ancestors 'none'" in policy and "default-src 'none'" in policy,
        "X-Content-Type-Options": got.headers.get("x-content-type-options", "").lower() == "nosniff",
        "Referrer-Policy": got.headers.get("referrer-policy", "") in {"same-origin", "no-referrer"},
        "Cache-Control: no-store": "no-store" in got.headers.get("cache-control", ""),
        "no Access-Control-Allow-Origin": "access-control-allow-origin" not in got.headers,
    }
    if facts.configured.issuer.startswith("https:"):
        found["Strict-Transport-Security"] = age.isdecimal() and int(age) >= LONG_HSTS
    return found


def clock(facts: Facts) -> Verdict:
    """Whether this machine's clock agrees with everyone who can be asked."""
    off = {"the proxy's": _proxy_clock(facts), "the database's": _database_clock(facts)}
    known = {name: apart for name, apart in off.items() if apart is not None}
    worst = max(known, key=lambda name: abs(known[name]), default="")
    fix = "run a time service (chrony, systemd-timesyncd) on every machine of the installation"
    if worst and abs(known[worst]) > CLOCK_WARN:
        status: Status = "fail" if abs(known[worst]) > CLOCK_FAIL else "warn"
        return Verdict(status, f"this machine's clock and {worst} are {abs(known[worst]):.0f} s apart", fix)
    if facts.machine.clock_synchronised is False:
        return Verdict("warn", "the kernel says that nothing keeps its clock right", fix)
    if not known and facts.stored.problem is not None:
        return unseen("nobody else's clock was", UNSEEN)
    return Verdict("pass", f"it agrees with {' and '.join(known)}" if known else "it does not stand behind the ledger")


def _proxy_clock(facts: Facts) -> float | None:
    """Seconds between the `Date` of the served metadata and this machine; a header has whole seconds. None: nobody said."""
    sent = facts.served.metadata.headers.get("date", "")
    try:
        told = parsedate_to_datetime(sent).timestamp()
    except ValueError:
        return None
    apart = told - facts.served.asked_at / SECOND
    return 0.0 if -1.0 <= apart <= 1.0 else apart


def _database_clock(facts: Facts) -> float | None:
    told = facts.stored.server_clock
    return None if told is None else (told - facts.stored.asked_at) / SECOND


def proxies(facts: Facts) -> Verdict:
    """Whether only machines of the operator's own may say who is calling."""
    fix = "write into SEMEL_TRUSTED_PROXIES the addresses of your own proxies, one by one, and nothing else"
    for text in facts.configured.trusted_proxies:
        try:
            address = ip_address(text)
        except ValueError:
            return Verdict("fail", f"{text} is not one address: nobody is trusted by it", fix)
        if address.is_global:
            return Verdict("warn", f"{text} is a public address: whoever gets it may say who is calling", fix)
    if not facts.configured.trusted_proxies and facts.configured.issuer.startswith("https:"):
        return Verdict(
            "warn",
            "no proxy is trusted: all callers count as one address, and are slowed down together",
            "write your proxy's address into SEMEL_TRUSTED_PROXIES, and let the proxy set X-Forwarded-For itself",
        )
    return Verdict("pass", f"{len(facts.configured.trusted_proxies)} trusted")


def outbound(facts: Facts) -> Verdict:
    """Whether outbound requests can reach inside."""
    for allowed, whose, setting in (
        (facts.configured.client_egress_allow, "that clients name", "SEMEL_CLIENT_EGRESS_ALLOW"),
        (facts.configured.egress_allow, "of registers", "SEMEL_EGRESS_ALLOW"),
    ):
        wide = [text for text in allowed if not _is_loopback(text)]
        if wide:
            return Verdict(
                "warn",
                f"addresses {whose} may lead into your network: {', '.join(wide)}",
                f"leave {setting} empty, or name single addresses with their port",
            )
    return Verdict("pass", "only public addresses are fetched from")


def _is_loopback(text: str) -> bool:
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    try:
        return ip_network(bare).is_loopback
    except ValueError:
        return False


def legacy(facts: Facts) -> Verdict:
    """Whether something old and weaker was switched on."""
    on = facts.configured.legacy
    if not on:
        return Verdict("pass", "nothing that is only there for old clients is on")
    names = ", ".join(f"SEMEL_{name.upper()}" for name in on)
    return Verdict("warn", f"on for old clients: {names}", "switch it off as soon as the last client that needs it is gone")  # fmt: skip


def mail(_facts: Facts) -> Verdict:
    """Whether people can be told by mail."""
    return Verdict("pass", "this version sends no mail; there is nothing to set")
