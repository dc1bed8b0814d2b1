"""A person of the demonstration who signs in through the local Entra ID, as a browser does: pages, buttons, cookies."""

import re
from html import unescape
from urllib.parse import urljoin

from keyturn.demo.line import DemoClient
from keyturn.errors import Permanent

PAGES = 3
"""At most: which account, whether the application may, and the one here."""


def sign_in_through_entra(line: DemoClient, name: str) -> tuple[str, str]:
    """Choose the account with this name at Entra ID, and accept what is asked for.

    Returns heading and first paragraph of the page of Keyturn on which that ends. Raises Permanent when it ends elsewhere.
    """
    home = line.stage.url
    with line.browser() as browser:
        page = browser.get(f"{home}/sign-in/entra")
        for _ in range(PAGES):
            if str(page.url).startswith(home):
                return _found(r"<h1[^>]*>(.*?)</h1>", page.text), _found(r"</h1>\s*<p>(.*?)</p>", page.text)
            form, button = _button(page.text, name)
            page = browser.post(urljoin(str(page.url), form), data=button)
    raise Permanent(f"{name} was not sent back by Entra ID: {page.url}", code="demo.broken")


def _button(page: str, name: str) -> tuple[str, dict[str, str]]:
    """Return where the form goes, and what the button says: the person's, or else that of consent."""
    user = re.search(rf'name="user" value="([^"]+)">{re.escape(name)}<', page)
    return _found(r'action="([^"]+)"', page), {"user": user[1]} if user else {"answer": "accept"}


def _found(pattern: str, page: str) -> str:
    """Return the text without its tags and with its signs; empty where there is none."""
    found = re.search(pattern, page, re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", "", found[1])).strip() if found else ""
