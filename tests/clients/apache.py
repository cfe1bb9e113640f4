"""A real Apache with Debian's `mod_auth_openidc`: a web site whose pages are for people who signed in at the broker."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx2

from tests.clients.service import Client, Service, program, wait

MODULES = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "dir", "auth_openidc")
FOLDER = Path("/usr/lib/apache2/modules")
CONFIGURATION = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/pid
DefaultRuntimeDir {folder}
ErrorLog {log}
LogLevel warn
{user}
{modules}
DocumentRoot {folder}/site
<Directory {folder}/site>
    Require all granted
</Directory>
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCCABundlePath {ca_file}
OIDCSSLValidateServer On
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCRedirectURI http://127.0.0.1:{port}/members/callback
OIDCCryptoPassphrase {passphrase}
OIDCScope "{scope}"
OIDCPKCEMethod S256
OIDCRemoteUserClaim sub
OIDCInfoHook access_token id_token userinfo
{more}
<Location /members/>
    AuthType openid-connect
    Require valid-user
    Header always set X-Remote-User "expr=%{{REMOTE_USER}}"
</Location>
"""


def run(stack: ExitStack, service: Service, client: Client, *more: str) -> str:
    """Start a site; its address. `more` are further directives."""
    port = client.port
    folder = Path(
        tempfile.mkdtemp(prefix="semel-apache-")
    )  # its workers are nobody, who may not look into a test's folder
    stack.callback(shutil.rmtree, folder)
    folder.chmod(0o755)
    shutil.copyfile(service.ca_file, folder / "ca.pem")
    log = service.folder / f"apache-{client.client_id}.log"
    (folder / "site" / "members").mkdir(parents=True)
    (folder / "site" / "index.html").write_text("<p>For everybody.</p>")
    (folder / "site" / "members" / "index.html").write_text("<h1>For members.</h1>")
    loaded = [f"LoadModule {name}_module {FOLDER}/mod_{name}.so" for name in MODULES]
    configuration = CONFIGURATION.format(
        folder=folder,
        port=port,
        log=log,
        user="User www-data\nGroup www-data" if os.getuid() == 0 else "",
        modules="\n".join(loaded),
        issuer=service.issuer,
        ca_file=folder / "ca.pem",
        client_id=client.client_id,
        secret=client.secret,
        passphrase=secrets.token_urlsafe(32),
        scope=client.scope,
        more="\n".join(more),
    )
    (folder / "apache.conf").write_text(configuration)
    apache = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin")
    assert apache, "Debian's package apache2-bin is needed"
    command = [apache, "-D", "FOREGROUND", "-f", str(folder / "apache.conf")]
    process = program(stack, command, log)
    with httpx2.Client(trust_env=False) as http:
        wait(http, f"http://127.0.0.1:{port}/", service.folder, process)
    return f"http://127.0.0.1:{port}"
