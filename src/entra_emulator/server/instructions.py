"""How programs are pointed at a served emulator: the variables of their environment, and what the command prints."""

from __future__ import annotations

import re
from shlex import quote
from typing import NamedTuple

from entra_emulator.core.wire import Request
from entra_emulator.server.emulator import Emulator
from entra_emulator.server.server import Running


class SignIn(NamedTuple):
    """What an application signs in with: tenant id, app id, and the value of a client secret."""

    tenant_id: str
    client_id: str
    client_secret: str


def usable_sign_in(emulator: Emulator, preferred: str = "") -> SignIn | None:
    """An application that can sign in now: the preferred one (app id), or else the first. None where none has a secret."""
    tenants = emulator.handle(Request("GET", "/_emulator/tenants", {}, b"")).json()
    now = emulator.clock.now()
    usable = (
        SignIn(tenant["id"], application["app_id"], secret["value"])
        for tenant in tenants
        for application in tenant["applications"]
        for secret in application["secrets"]
        if not application["disabled"] and secret["start"] <= now < secret["end"]
    )
    return min(usable, key=lambda one: one.client_id != preferred, default=None)


def client_environment(running: Running, sign_in: SignIn | None) -> dict[str, str]:
    """The variables that point programs at it; those of an application only where one can sign in.

    The names are those that the clients read: OpenSSL and Go (SSL_CERT_FILE), requests and with it MSAL, azure-identity and az
    (REQUESTS_CA_BUNDLE), Node (NODE_EXTRA_CA_CERTS), and azure-identity in every language (AZURE_*).
    """
    certificate = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    variables = dict.fromkeys(certificate, running.ca_file) | {"AZURE_AUTHORITY_HOST": running.authority}
    if sign_in is not None:
        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        variables |= dict(zip(names, sign_in, strict=True))
    return variables


_AS_IT_STANDS = re.compile(r"(?!~)(?:[\[\]\w@%+=,./~-]|:(?!~))*", re.ASCII)
"""A value that a shell assigns without quotes: a `~` is a home directory at its beginning and behind a colon only."""


def environment_file(variables: dict[str, str]) -> str:
    """The variables as lines that a shell and Node (`--env-file`) read.

    Docker takes quotes for a part of the value, so that there are none but around what a shell would take apart.
    """
    return "".join(
        f"{name}={value if _AS_IT_STANDS.fullmatch(value) else quote(value)}\n" for name, value in variables.items()
    )


def how_to_point(running: Running, sign_in: SignIn | None) -> str:
    """Instructions for the usual clients, with this server's own values."""
    at = running.authority
    exports = "".join(
        f"export {line}\n" for line in environment_file(client_environment(running, sign_in)).splitlines()
    )
    said = f"entra-emulator is ready: {at}   (look at it: {running.admin})\n\n{exports}\n"
    if sign_in is None:
        return f"{said}No application has a secret yet: --demo and --seed-file make some, and so does {running.admin}/tenants.\n"
    tenant, client, secret = sign_in
    return f"""{said}\
MSAL            msal.ConfidentialClientApplication("{client}", client_credential="{secret}",
                    authority="{at}/{tenant}", instance_discovery=False)
azure-identity  ClientSecretCredential("{tenant}", "{client}", "{secret}",
                    authority="{at}", disable_instance_discovery=True)
msgraph-sdk     client = GraphServiceClient(credential, scopes=["https://graph.microsoft.com/.default"])
                client.request_adapter.base_url = "{running.graph}"
az              export AZURE_CORE_INSTANCE_DISCOVERY=false
                az cloud register -n Emulator --skip-endpoint-discovery --endpoint-resource-manager {at} \\
                    --endpoint-active-directory {at} \\
                    --endpoint-active-directory-resource-id https://management.azure.com/ \\
                    --endpoint-microsoft-graph-resource-id {at}/
                az cloud set -n Emulator
                az login --service-principal -u {client} -p {quote(secret)} --tenant {tenant} --allow-no-subscriptions
"""
