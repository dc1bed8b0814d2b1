"""A person of the demonstration who signs in through the local Entra ID, as a browser does: pages, buttons, cookies."""

import re
from html import unescape
from urllib.parse import urljoin

import httpx2

from keyturn.demo.processes import DemoStage
from keyturn.errors import Permanent

BUTTONS = 3
"""At most: which account, whether the application may, and one to spare."""


def sign_in_through_entra(stage: DemoStage, name: str) -> tuple[str, str]:
    """Choose the account with this name at Entra ID, and accept what is asked for.

    Returns heading and first paragraph of the page of Keyturn on which that ends. Raises Permanent when it ends elsewhere.
    """
    headers = {"accept": "text/html", "sec-fetch-site": "none"}
    with httpx2.Client(verify=stage.trust(), trust_env=False, follow_redirects=True, headers=headers) as browser:
        page = browser.get(f"{stage.url}/sign-in/entra")
        for _ in range(BUTTONS):
            if str(page.url).startswith(stage.url):
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
