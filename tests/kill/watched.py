"""An emulator that knows every secret it ever issued, and tells at which instant one was asked for."""

from collections.abc import Callable

from entra_emulator import Emulator, Request, Response, SystemClock


class WatchedEmulator(Emulator):
    """Collects ``values``; ``on_add`` is called after an addPassword took effect and before its answer leaves.

    It gets the User-Agent of the caller, which names the process of the product.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(SystemClock(), seed)
        self.values: set[str] = set()
        self.on_add: Callable[[str], None] = lambda _agent: None

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        entry = self.ledger.get(response.sequence)
        # Looked up in the directory and not in the answer, which may be one of the scripted failures.
        if entry is not None and entry.operation == "addPassword" and entry.committed:
            self.remember(entry.application)
            self.on_add(entry.user_agent)
        return response

    def remember(self, application: str) -> None:
        """Collect the values of the application's secrets."""
        self.values.update(secret.value for secret in self.admin.secrets(application))
