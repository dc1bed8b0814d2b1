"""The pages that a person sees while signing in: plain HTML. One has a script, of one line: the answer that is posted."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode

from entra_emulator.core.clock import sts_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, Tenant, User
from entra_emulator.directory.roles import roles_of
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Effect
from entra_emulator.sign_in.scopes import scopes_of
from entra_emulator.tokens.sts_errors import StsError, correlation_id, headers

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --strong: #0f6cbd; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 16px/1.45 "Segoe UI", system-ui, sans-serif; background: #8882; }
main { width: min(27rem, 100%); padding: 2rem; background: Canvas; color: CanvasText;
  border: 1px solid var(--line); border-radius: .5rem; box-shadow: 0 .25rem 1.5rem #0002; }
header { font-size: .85rem; letter-spacing: .04em; opacity: .75; }
h1 { font-size: 1.4rem; font-weight: 600; margin: .75rem 0; }
button { font: inherit; cursor: pointer; border-radius: .25rem; border: 1px solid var(--line);
  padding: .5rem 1.25rem; background: ButtonFace; color: ButtonText; }
button.main { background: var(--strong); border-color: var(--strong); color: #fff; }
button.person { display: block; width: 100%; text-align: left; padding: .75rem 1rem; margin-top: .5rem; }
button.person small { display: block; opacity: .75; }
button:focus-visible { outline: 3px solid var(--strong); outline-offset: 2px; }
footer { display: flex; justify-content: flex-end; gap: .5rem; margin-top: 1.5rem; }
li { margin: .5rem 0; } li small { opacity: .75; } code { overflow-wrap: anywhere; }
dl { font-size: .85rem; overflow-wrap: anywhere; } dd { margin: 0 0 .5rem; } label { display: block; margin: 1rem 0; }
"""
_SUBMIT = "document.forms[0].submit()"
_SUBMIT_HASH = base64.b64encode(hashlib.sha256(_SUBMIT.encode()).digest()).decode()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No form-action: browsers would hold it against the redirect to the client that follows a form.
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


def page(call: Call, title: str, body: str, status: int = 200, *, policy: str = _POLICY) -> Response:
    """A whole page; `body` is HTML, `title` is text."""
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><header>Entra emulator</header><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )
    safe = (("Content-Security-Policy", policy), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"))
    return Response(status, (*headers(call, "text/html; charset=utf-8"), *safe), html.encode("utf-8", "replace"))


def form(call: Call, parameters: Mapping[str, str], inner: str) -> str:
    """A form that comes back to the page it is on, with the client's parameters as they were."""
    action = f"{call.path}?{urlencode(parameters, errors='replace')}"
    return f'<form method="post" action="{escape(action)}">{inner}</form>'


def _account(tenant: Tenant, user: User) -> str:
    about = f"{escape(user.principal_name)} &middot; {escape(', '.join(roles_of(tenant, user)) or 'no directory role')}"
    name = escape(user.display_name)
    return f'<button class="person" name="user" value="{user.object_id}">{name}<small>{about}</small></button>'


def accounts(
    call: Call,
    parameters: Mapping[str, str],
    application: Application,
    people: Iterable[tuple[Tenant, User]],
    note: str,
) -> Response:
    """Who wants to sign in? One button for each account; no password is asked for."""
    rows = [_account(tenant, user) for tenant, user in people]
    inner = "".join(rows) or "<p>This tenant has no users.</p>"
    inner += '<footer><button name="answer" value="cancel">Cancel</button></footer>'
    hint = f"<p>{escape(note)}</p>" if note else ""
    to = f"<p>to continue to <strong>{escape(application.display_name)}</strong></p>"
    return page(call, "Pick an account", to + hint + form(call, parameters, inner))


def consent(
    call: Call,
    parameters: Mapping[str, str],
    application: Application,
    user: User,
    lines: list[str],
    *,
    for_everyone: str,
) -> Response:
    """The permissions asked for, to accept or to decline.

    `for_everyone` is `no` (not offered), `offered` (a box to tick) or `always`.
    """
    tick = (
        '<label><input type="checkbox" name="everyone" value="1"> Consent on behalf of your organization</label>'
        if for_everyone == "offered"
        else ""
    )
    inner = (
        f'<input type="hidden" name="user" value="{user.object_id}"><ul>{"".join(lines)}</ul>{tick}'
        '<footer><button name="answer" value="decline">Cancel</button>'
        '<button class="main" name="answer" value="accept">Accept</button></footer>'
    )
    title = "Permissions requested for your organization" if for_everyone == "always" else "Permissions requested"
    who = (
        f"<p><strong>{escape(application.display_name)}</strong> (<code>{application.app_id}</code>) would like to, as "
        f"{escape(user.principal_name)}:</p>"
    )
    return page(call, title, who + form(call, parameters, inner))


def scope_lines(call: Call, permissions: Mapping[str, set[str]], tenant: Tenant) -> list[str]:
    """Delegated permissions as items of a list."""
    known = {app_id: scopes_of(call.world.directory, app_id) for app_id in permissions}
    return [
        f"<li>{escape(known[app_id][name].title)}<br><small>{escape(_resource(tenant, app_id))} &middot; "
        f"<code>{escape(name)}</code></small></li>"
        for app_id, names in permissions.items()
        for name in sorted(names)
    ]


def role_lines(permissions: Mapping[str, set[str]], tenant: Tenant) -> list[str]:
    """Application permissions as items of a list."""
    return [
        f"<li>{escape(name)}<br><small>{escape(_resource(tenant, app_id))} &middot; without a signed-in user</small></li>"
        for app_id, names in permissions.items()
        for name in sorted(names)
    ]


def enter_code(call: Call, note: str) -> Response:
    """Which code does the other device show?"""
    inner = (
        '<label>Code <input name="user_code" autocomplete="off" autofocus required></label>'
        '<footer><button class="main" name="answer" value="next">Next</button></footer>'
    )
    hint = f"<p>{escape(note)}</p>" if note else ""
    return page(call, "Enter code", hint + form(call, {}, inner))


def message(call: Call, title: str, text: str) -> Response:
    """A page that only says something."""
    return page(call, title, f"<p>{escape(text)}</p>")


def approval(
    call: Call, parameters: Mapping[str, str], application: Application, user: User, refusal: StsError
) -> Response:
    """Only an administrator may consent to what is asked."""
    inner = (
        f'<input type="hidden" name="user" value="{user.object_id}">'
        '<footer><button name="answer" value="return">Return to the application without granting consent</button>'
        '<button name="answer" value="other">Sign in with an admin account</button></footer>'
    )
    text = (
        f"<p><strong>{escape(application.display_name)}</strong> needs permission to access resources in your "
        "organization that only an admin can grant. Please ask an admin to grant permission to this app before you can "
        f"use it.</p><p>{escape(user.principal_name)}</p>"
    )
    return page(call, "Need admin approval", text + form(call, parameters, inner) + _technical(call, refusal))


def failure(call: Call, refusal: StsError) -> Response:
    """A refusal that is shown here because it must not, or cannot, be sent to the client."""
    call.entry.error = str(refusal.code)
    message = f"<p>AADSTS{refusal.code}: {escape(refusal.text)}</p>"
    text = "<p>Sorry, but we&rsquo;re having trouble signing you in.</p>"
    return page(call, "Sign in", text + message + _technical(call, refusal), refusal.status)


def hand_over(call: Call, target: str, fields: Mapping[str, str]) -> Response:
    """`form_post`: a form that carries the answer to the client by itself; without scripts, when its button is pressed.

    Source: https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html
    """
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    inner = f'{inputs}<footer><button class="main">Continue</button></footer>'
    body = f'<form method="post" action="{escape(target)}">{inner}</form><script>{_SUBMIT}</script>'
    return page(call, "Signed in", body, policy=f"{_POLICY}; script-src 'sha256-{_SUBMIT_HASH}'")


def signed_out(call: Call) -> Response:
    """Nobody is signed in here any more."""
    return page(call, "You signed out of your account", "<p>You can close this window.</p>")


def faulty(call: Call, effect: Effect) -> Response:
    """The page that a fault puts in place of the true one."""
    code = int(effect.code) if effect.code.isdecimal() else 90033
    refusal = StsError(code, effect.message or "A transient error has occurred. Please try again.")
    refusal.status = effect.status
    return failure(call, refusal)


def _technical(call: Call, refusal: StsError) -> str:
    rows = (
        ("Error code", f"AADSTS{refusal.code}"),
        ("Request Id", call.request_id),
        ("Correlation Id", correlation_id(call)),
        ("Timestamp", sts_time(call.local_now)),
    )
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{escape(value)}</dd>' for name, value in rows)}</dl>"


def _resource(tenant: Tenant, app_id: str) -> str:
    principal = tenant.principal_of(app_id)
    return principal.display_name if principal else app_id
