"""Serves what pages load: our style and script, htmx, and nothing from elsewhere."""

from collections.abc import Mapping

from keyturn.errors import NotFound
from keyturn.web.html.render import static_files
from keyturn.web.pages import File, Pages, get, group

_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_A_DAY = {"cache-control": "public, max-age=86400"}


def router() -> Pages:
    """Return the route of the static files. Their addresses change with their content, so browsers keep them."""

    @get("/static/{rest:path}", public=True)
    def show_asset(rest: str) -> File:
        return _file(rest.lstrip("/"), _FOR_EVER)

    @get("/favicon.ico", public=True)
    def show_favicon() -> File:
        return _file("favicon.svg", _A_DAY)

    return group(show_asset, show_favicon)


def _file(name: str, headers: Mapping[str, str]) -> File:
    asset = static_files().get(name)
    if asset is None:
        raise NotFound("There is no such file.", code="request.no_file")
    return File(asset.content, asset.media_type, headers, compressed=True)
