"""Secrets whose values come from the rotation of an application's secret: nobody else changes them."""

from dataclasses import dataclass

CLIENT_ID = "clientId"
CLIENT_SECRET = "clientSecret"
"""Which part of what signs in for the application a secret holds, as the API calls it."""


@dataclass(frozen=True)
class SecretNames:
    """What the two secrets of a mapping are called in their folder."""

    client_id: str
    client_secret: str
