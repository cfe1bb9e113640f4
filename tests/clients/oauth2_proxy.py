"""oauth2-proxy as its makers publish it, built once into a cache of this machine from the Go module proxy, before a small site."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.clients.service import Client, Service, program, wait

MODULE = "github.com/oauth2-proxy/oauth2-proxy/v7"
VERSION = "v7.15.6"  # its module's sum is checked by Go against the public checksum database
NEEDED = (1, 26)
MISSING = "Left out: oauth2-proxy (tests/clients/test_sites.py). Go 1.26 or newer builds it; see https://go.dev/dl/"
SECRET_BYTES = 16  # of the cookie's key: 32 characters of hexadecimal


def home() -> Path:
    """Where the built program is kept, and looked for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semel"
    return cache / f"oauth2-proxy-{VERSION}"


def compiler() -> str | None:
    """Go, where it is new enough to build it."""
    go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout if go else ""
    found = re.match(r"go(\d+)\.(\d+)", told)
    return go if found and (int(found[1]), int(found[2])) >= NEEDED else None


def installed() -> Path:
    """The program; builds it when this version is not there yet, which takes some minutes. Skips the test without Go."""
    folder, go = home(), compiler()
    if (folder / "oauth2-proxy").exists():
        return folder / "oauth2-proxy"
    if go is None:
        pytest.skip(MISSING)
    cache = folder.parent
    cache.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=cache, prefix="making-"))
    environment = {**os.environ, "GOBIN": str(made), "CGO_ENABLED": "0"}
    done = subprocess.run(
        [go, "install", f"{MODULE}@{VERSION}"], cwd=made, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"go install: {done.stderr[-3000:]}"
    try:
        made.rename(folder)
    except OSError:  # somebody else was quicker
        shutil.rmtree(made)
    return folder / "oauth2-proxy"


def run(stack: ExitStack, service: Service, client: Client) -> str:
    """Start it before a site with one page; its address. Options and configuration are those of its documentation."""
    site = service.folder / f"site-{client.client_id}"
    site.mkdir()
    (site / "index.html").write_text("<h1>For members.</h1>")
    origin = f"http://127.0.0.1:{client.port}"
    structured = {
        "server": {"bindAddress": f"127.0.0.1:{client.port}"},
        "providers": [
            {
                "id": "semel",
                "provider": "oidc",
                "clientID": client.client_id,
                "clientSecret": client.secret,
                "caFiles": [service.ca_file],
                "scope": client.scope,
                "code_challenge_method": "S256",
                "additionalClaims": ["name"],
                "oidcConfig": {
                    "issuerURL": service.issuer,
                    "audienceClaims": ["aud"],
                    "emailClaim": "email",
                    "insecureSkipNonce": False,  # its own default is not to check the nonce
                    "insecureAllowUnverifiedEmail": True,  # people write what they like into their account
                },
            }
        ],
        "upstreamConfig": {"upstreams": [{"id": "site", "path": "/", "uri": f"file://{site}"}]},
    }
    (service.folder / "oauth2-proxy.yaml").write_text(json.dumps(structured))  # JSON is YAML
    options = {
        "alpha-config": service.folder / "oauth2-proxy.yaml",
        "redirect-url": f"{origin}/oauth2/callback",
        "email-domain": "*",
        "cookie-secret": secrets.token_hex(SECRET_BYTES),
        "cookie-secure": "false",  # this site is on the loopback, without TLS
        "skip-provider-button": "true",
    }
    command = [str(installed()), *(f"--{name}={value}" for name, value in options.items())]
    process = program(stack, command, service.folder / f"{client.client_id}.log")
    with httpx2.Client(trust_env=False) as http:
        wait(http, f"{origin}/ping", service.folder, process)
    return origin


if __name__ == "__main__" and not (home() / "oauth2-proxy").exists() and compiler() is None:
    sys.stdout.write(f"{MISSING}\n")
