"""The API reference: the OpenAPI document, and a page made from it on the server."""

from litestar import Router

from keyturn.web.routes import group


def router() -> Router:
    return group("Reference")
