"""The token sources that the settings name, and what they present."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from keyturn.errors import Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.http import Transport
from keyturn.providers.azure.assertions import audience_of, read_presented
from keyturn.providers.azure.managed_identity import ManagedIdentity
from keyturn.providers.token_sources import GitHubToken, TokenFile, TokenSource, TokenSources, TokenVariable
from keyturn.settings.model import Settings, TokenSourceSetting


def token_sources(
    settings: Settings, environ: Mapping[str, str], transport: Transport, machine: Transport
) -> TokenSources:
    """Return the sources. ``transport`` leads to the Internet, ``machine`` to addresses of this machine, without a proxy."""
    kinds: dict[str, Callable[[TokenSourceSetting], TokenSource]] = {
        "file": lambda one: TokenFile(one.name, Path(one.argument)),
        "variable": lambda one: TokenVariable(one.name, one.argument, environ),
        "github": lambda one: GitHubToken(one.name, environ, transport),
        "managed-identity": lambda one: ManagedIdentity(one.name, one.argument or None, machine),
    }
    return TokenSources({one.name: kinds[one.kind](one) for one in settings.token_sources})


@dataclass(frozen=True)
class SourceReport:
    """What one source gives, for the operator: never a token. ``error`` is set where it gave none."""

    source: TokenSourceSetting
    wanted_audience: str
    error: Upstream | None = None
    issuer: str = ""
    subject: str = ""
    audience: str = ""
    expires_at: datetime | None = None
    command: str = ""
    """What makes an application trust it, whose client id the shell has as ``CLIENT_ID``."""


def look(settings: Settings, sources: TokenSources) -> Iterator[SourceReport]:
    """Ask each source for a token and yield what it presents. Sends none of them anywhere."""
    wanted = audience_of(settings.cloud)
    for one in settings.token_sources:
        try:
            told = read_presented(sources.token(one.name, wanted))
        except Upstream as error:
            yield SourceReport(one, wanted, error)
            continue
        command = told.command('"$CLIENT_ID"', wanted)
        yield SourceReport(one, wanted, None, told.issuer, told.subject, told.audience, told.expires_at, command)
