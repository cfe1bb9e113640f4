"""The shipped proxy configuration in Debian's nginx: what it lets through, replaces and refuses (RFC 9440, RFC 8705, RFC 9325)."""

from __future__ import annotations

import re
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from broker.clients.authentication import UNPROVEN
from broker.routes import ROUTES
from tests import machine_clock
from tests.broker.relying import CHALLENGE
from tests.certified import Certified
from tests.clients.service import CALLBACK, Service, certified

OTHER = certified("CN=self-signed")  # another certificate of the same name


def push(service: Service, origin: str, shown: Certified | None, **headers: str) -> tuple[int, Any]:
    """Push a request as the client `self-signed`."""
    client = service.clients["self-signed"]
    form = {"client_id": client.client_id, "response_type": "code", "redirect_uri": CALLBACK}
    form |= {"scope": f"openid use:{client.use}", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    with service.http(shown) as http:
        answer = http.post(f"{origin}/par", data=form, headers=headers)
    return answer.status_code, answer.json()


def own(service: Service) -> Certified:
    shown = service.clients["self-signed"].certificate
    assert shown is not None
    return shown


def test_a_certificate_arrives(service: Service) -> None:
    status, body = push(service, service.mtls_origin, own(service))
    assert status == 201, body


def test_an_expired_certificate_comes_no_further(service: Service) -> None:
    """nginx refuses it by itself; the broker would too (`tests/broker/test_mutual_tls.py`)."""
    yesterday = machine_clock.today() - timedelta(days=1)
    old = certified("CN=self-signed", start=yesterday - timedelta(days=1), end=yesterday)
    with service.http(old) as http:
        answer = http.post(f"{service.mtls_origin}/par", data={"client_id": "self-signed"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html")


def test_every_size_of_certificate_arrives(service: Service) -> None:
    """One of 3 KB; the next line does not fit and counts as none, and nothing hangs."""
    from cryptography import x509

    def told(names: int) -> str:
        long = tuple(x509.DNSName(f"{'n' * 50}{i:03}.example") for i in range(names))
        shown = certified("CN=long", names=long)
        assert len(shown.der) > 300
        return str(push(service, service.mtls_origin, shown)[1]["error_description"])

    assert told(38) == f"client authentication failed: {UNPROVEN}"  # it arrived, and is not the client's
    assert told(60) == "client authentication failed: credentials are needed"


@pytest.mark.parametrize("spelled", ["Client-Cert", "client-cert", "CLIENT-CERT", "Client_Cert"])
def test_spoofed_headers(service: Service, spelled: str) -> None:
    """RFC 9440 §4: what a client says of its certificate reaches nobody, with and without one of its own."""
    said = {spelled: own(service).header}
    for origin in (service.issuer, service.mtls_origin):
        for shown in (None, OTHER):
            status, body = push(service, origin, shown, **said)
            assert (status, body["error"]) == (401, "invalid_client")
    assert push(service, service.mtls_origin, own(service), **{spelled: OTHER.header})[0] == 201


def test_past_the_proxy_nobody_is_believed(service: Service) -> None:
    """From an address of this machine that is no proxy's, at the broker's own port."""
    port = service.plan.port
    body = b"client_id=self-signed&token=x"
    head = "POST /revocation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    sent = f"{head}Client-Cert: {own(service).header}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    answers = {}
    for source in ("127.0.0.1", "127.0.0.9"):
        with socket.create_connection(("127.0.0.1", port), source_address=(source, 0)) as link:
            link.sendall(sent)
            answers[source] = link.makefile("rb").readline().split()[1]
    assert answers == {"127.0.0.1": b"200", "127.0.0.9": b"401"}


def test_the_other_host_serves_no_page(service: Service) -> None:
    with service.http(own(service)) as http:
        for path in (
            "/",
            "/sign-in",
            "/authorize",
            "/register",
            "/par/",
            "/static/x",
            "/.well-known/openid-configuration",
        ):
            assert http.get(service.mtls_origin + path).status_code == 404


def through(path: str) -> bool:
    """Whether the second server lets a path through."""
    (pattern,) = re.findall(r'location ~ "(.*)"', (Path("deploy") / "nginx.conf").read_text())
    return re.search(pattern, path) is not None


def test_what_the_other_host_lets_through() -> None:
    """What takes a client's authentication or token, and nothing else; wallets and registration know no certificates."""
    back = {row.path for row in ROUTES if row.speaks in {"oauth", "resource"}}
    filled = {row.path: re.sub(r"\{.*?\}", "x", row.path) for row in ROUTES}
    let = {path for path, one in filled.items() if through(one)}
    assert let <= back
    assert {path for path in back if path.startswith(("/ssf/", "/grants/"))} <= let
    assert not [path for path in let if path.startswith(("/register", "/nonce", "/credential", "/sandbox"))]


def test_every_alias_is_served_there(service: Service) -> None:
    """What discovery promises (RFC 8705 §5), the proxy lets through."""
    aliases = service.metadata["mtls_endpoint_aliases"]
    paths = [urlsplit(address).path for address in aliases.values()]
    assert [path for path in paths if not through(path) and not through(f"{path}/x")] == []
    assert all(address.startswith(service.mtls_origin + "/") for address in aliases.values())


# fmt: off
TLS: list[tuple[str, int, int, str, str | None]] = [
    # what is offered                      from                     to                       suites of TLS 1.2                what is agreed
    ("RFC 9325 §3.1.1 TLS 1.0",            ssl.TLSVersion.TLSv1,    ssl.TLSVersion.TLSv1,    "ALL:@SECLEVEL=0",               None),
    ("RFC 9325 §3.1.1 TLS 1.1",            ssl.TLSVersion.TLSv1_1,  ssl.TLSVersion.TLSv1_1,  "ALL:@SECLEVEL=0",               None),
    ("RFC 9325 §4.2 TLS 1.2 with CBC",     ssl.TLSVersion.TLSv1_2,  ssl.TLSVersion.TLSv1_2,  "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA", None),
    ("RFC 9325 §4.1 TLS 1.2 without ECDHE", ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2,  "AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256", None),
    ("protocol: ECDHE with GCM only",      ssl.TLSVersion.TLSv1_2,  ssl.TLSVersion.TLSv1_2,  "ECDHE-ECDSA-CHACHA20-POLY1305", None),
    ("RFC 9325 §4.2 TLS 1.2 with GCM",     ssl.TLSVersion.TLSv1_2,  ssl.TLSVersion.TLSv1_2,  "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"),
    ("RFC 9325 §3.1.1 both",               ssl.TLSVersion.TLSv1_2,  ssl.TLSVersion.TLSv1_3,  "DEFAULT",                       "TLSv1.3"),
]
# fmt: on


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(("lowest", "highest", "suites", "agreed"), [r[1:] for r in TLS], ids=[r[0] for r in TLS])
def test_handshakes(service: Service, lowest: Any, highest: Any, suites: str, agreed: str | None) -> None:
    for port in (service.front, service.mtls):
        context = service.tls()
        context.set_ciphers(suites)
        context.minimum_version, context.maximum_version = lowest, highest
        with socket.create_connection(("127.0.0.1", port)) as link:
            if agreed is None:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(link, server_hostname="localhost")
            else:
                with context.wrap_socket(link, server_hostname="localhost") as secured:
                    assert secured.version() == agreed


def test_who_asks_for_a_certificate(service: Service) -> None:
    """Browsers at the front are not asked for one."""
    with service.http(own(service)) as http:
        assert http.get(f"{service.issuer}/healthz").status_code == 200
    assert push(service, service.issuer, own(service))[0] == 401
