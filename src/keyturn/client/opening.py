"""Puts a client together from settings: a server, a way to sign in, a copy to fall back to."""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import timedelta

from keyturn.client.cache import MOST_AGE, cache_file
from keyturn.client.domain import Source
from keyturn.client.reader import Reader
from keyturn.client.server import Server
from keyturn.client.settings import Settings, read_settings
from keyturn.client.sign_in import sign_in_of
from keyturn.client.transport import Http
from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Client:
    """What a command of the client works with."""

    settings: Settings
    server: Server
    environ: Mapping[str, str] = field(repr=False)
    tell: Callable[[str], None] = field(repr=False)

    def source(self, *, recursive: bool = False, imports: bool = True) -> Source:
        """Return the folder that was named. Raises Misconfigured when project or environment was not."""
        project = self.settings.need("project", "--project")
        environment = self.settings.need("environment", "--env")
        return Source(project, environment, self.settings.get("path") or "/", recursive, imports)

    def reader(
        self,
        source: Source,
        *,
        cached: bool = True,
        interval: float = 60.0,
        most_age: timedelta = MOST_AGE,
        instance: str | None = None,
        announced: bool = True,
    ) -> Reader:
        """Return what reads the source, with an encrypted copy unless ``cached`` says otherwise. Raises Misconfigured."""
        cache = cache_file(self.settings, self.server.identity, source, self.environ, self.tell) if cached else None
        return Reader(
            self.server,
            source,
            cache,
            interval=interval,
            most_age=most_age,
            instance=instance,
            announced=announced,
            tell=self.tell,
        )


def open_client(
    environ: Mapping[str, str], given: Mapping[str, str | None], tell: Callable[[str], None], *, seconds: float = 30.0
) -> Client:
    """Open nothing yet, but know all that is needed for it. Raises Misconfigured.

    ``given`` are options of the command line; ``seconds`` is how long one request may take.
    """
    settings = read_settings(environ, given)
    http = Http(settings.url, settings.file("ca_file"), seconds)
    return Client(settings, Server(http, sign_in_of(settings, environ)), environ, tell)
