"""The transport of the client's commands to an application of this process, instead of a network."""

from collections.abc import Mapping

from keyturn.client.transport import Answer, Http
from tests.client import Client


class InProcess(Http):
    """Asks an application through its test client."""

    def __init__(self, client: Client) -> None:
        self._asked = client

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        typed = {"content-type": "application/json"} if body else {}
        answer = self._asked.request(
            method, path, params=query or None, content=body, headers={**(headers or {}), **typed}
        )
        return Answer(answer.status_code, dict(answer.headers), answer.content)

    def close(self) -> None:
        """There is nothing to close."""
