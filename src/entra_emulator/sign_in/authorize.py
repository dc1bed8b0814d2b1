"""/authorize: who signs in, what they agree to, and the answer at the client's redirect URI."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from entra_emulator.core.clock import sts_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, Tenant, User
from entra_emulator.directory.replies import act
from entra_emulator.directory.requested_scopes import RequestedScopes
from entra_emulator.directory.sessions import COOKIE, Authorization, Code, Session
from entra_emulator.directory.world import Call
from entra_emulator.sign_in import pages
from entra_emulator.sign_in.authorize_request import (
    OWN_FIELDS,
    AuthorizeRequest,
    check,
    parameters_of,
    read_request,
    redirect_of,
    the_client,
)
from entra_emulator.sign_in.consents import Permissions, give, is_admin, may_consent, missing, needed_permissions
from entra_emulator.sign_in.scopes import read_scopes
from entra_emulator.sign_in.user_tokens import client_info, implicit_tokens
from entra_emulator.tokens.assigned import check_user_assigned
from entra_emulator.tokens.sts_errors import StsError, correlation_id, described, error_uri, headers, not_consented

Person = tuple[Tenant, User]


def handle(call: Call, tenant_name: str) -> Response:
    """One step of a sign-in: a page, or a redirect to the client."""
    if call.request.method not in {"GET", "POST"}:
        return pages.failure(call, StsError(900561, "The endpoint only accepts GET and POST requests."))
    try:
        request = read_request(call, tenant_name)
    except StsError as refusal:
        return pages.failure(call, refusal)
    return act(call, lambda: _answer(call, request), pages.faulty)


def _answer(call: Call, request: AuthorizeRequest) -> Response:
    try:
        check(request)
        if request.get("answer") == "cancel" and call.request.method == "POST":
            return _cancelled(call, request)
        session = call.world.sessions.session(call.headers.get("cookie", ""))
        person = who(call, request.parameters, request.tenant, session)
        if person is None:
            return _nobody(call, request, session)
        return _as_person(call, request, person, session)
    except StsError as refusal:
        return _refused(call, request, refusal)


def _as_person(call: Call, request: AuthorizeRequest, person: Person, session: Session | None) -> Response:
    tenant, user = person
    if request.tenant is None:
        call.enter(tenant)
    call.entry.user = user.object_id
    if not user.enabled:
        return pages.failure(call, StsError(50057, "The user account is disabled."))
    session = sign_in(call, user, session)
    scopes = read_scopes(call, request.application, request.get("scope"))
    check_user_assigned(call, user, request.application.app_id)
    return with_cookie(_consented(call, request, user, scopes) or _issue(call, request, user, scopes, session), session)


def _consented(call: Call, request: AuthorizeRequest, user: User, scopes: RequestedScopes) -> Response | None:
    """None once there is consent to all that is asked; until then the page that asks for it."""
    prompt, application = request.get("prompt"), request.application
    answer = request.get("answer") if call.request.method == "POST" else ""
    asking = prompt in {"consent", "admin_consent"}
    gaps = (
        needed_permissions(call, application, user, scopes, again=True)
        if asking
        else missing(call, application, user, scopes)
    )
    if not gaps:
        return None
    if prompt == "none":
        raise not_consented(application, "consent_required")
    if answer == "decline":
        raise StsError(65004, "User declined to consent to access the app.")
    if not may_consent(call, user, gaps) or (prompt == "admin_consent" and not is_admin(call, user)):
        return _needs_admin(call, request, user, answer)
    if answer != "accept":
        return _ask(call, request, user, gaps)
    everyone = is_admin(call, user) and (bool(request.get("everyone")) or prompt == "admin_consent")
    give(call.world, call.home(), application, gaps, None if everyone else user)
    call.entry.committed = True
    return None


def _ask(call: Call, request: AuthorizeRequest, user: User, gaps: Permissions) -> Response:
    choice = "always" if request.get("prompt") == "admin_consent" else "offered" if is_admin(call, user) else "no"
    lines = pages.scope_lines(call, gaps, call.home())
    return pages.consent(call, _client_parameters(request), request.application, user, lines, for_everyone=choice)


def _needs_admin(call: Call, request: AuthorizeRequest, user: User, answer: str) -> Response:
    name = request.application.display_name
    refusal = StsError(
        90094, f"An administrator must grant consent before '{name}' can be used: the grant requires admin permission."
    )
    if answer == "return":
        raise refusal
    call.entry.error = str(refusal.code)
    return pages.approval(call, _client_parameters(request), request.application, user, refusal)


def _nobody(call: Call, request: AuthorizeRequest, session: Session | None) -> Response:
    people = candidates(call, request.tenant)
    if request.get("prompt") == "none":
        if len(signed_in(people, session)) > 1:
            raise StsError(
                16000,
                "Either multiple user identities are available for the current request or selected account is not "
                "supported for the scenario.",
            )
        raise StsError(50058, "A silent sign-in request was sent but no user is signed in.")
    return choose_account(call, request.parameters, request.application, request.tenant)


def choose_account(call: Call, parameters: dict[str, str], application: Application, tenant: Tenant | None) -> Response:
    """The page with all accounts of the tenant, or of all tenants; the one in `login_hint` comes first."""
    hint = parameters.get("login_hint", "").lower()
    people = candidates(call, tenant)
    people = sorted(people, key=lambda person: person[1].principal_name.lower() != hint)
    match = bool(hint) and bool(people) and people[0][1].principal_name.lower() == hint
    note = "" if match or not hint else f"There is no account {hint[:100]} here."
    own = {name: value for name, value in parameters.items() if name not in OWN_FIELDS}
    return pages.accounts(call, own, application, people, note)


def candidates(call: Call, tenant: Tenant | None) -> list[Person]:
    """Everybody who might sign in here."""
    homes = [tenant] if tenant else list(call.world.directory.tenants.values())
    return [(home, user) for home in homes for user in home.users.values()]


def signed_in(people: list[Person], session: Session | None) -> list[Person]:
    """Those of them who are signed in in this session."""
    revocations = session.users if session else {}
    return [
        person
        for person in people
        if person[1].enabled and revocations.get(person[1].object_id) == person[1].revocations
    ]


def who(call: Call, parameters: dict[str, str], tenant: Tenant | None, session: Session | None) -> Person | None:
    """Whose sign-in this is: the account just picked, or the one of the session; None if a person must choose.

    Whoever answers a later page must be signed in in the session.
    """
    people = candidates(call, tenant)
    present = signed_in(people, session)
    if call.request.method == "POST" and "user" in parameters:
        later = parameters.get("answer") in {"accept", "decline", "return"}
        among = present if later else [] if parameters.get("answer") == "other" else people
        return next((person for person in among if person[1].object_id == parameters["user"]), None)
    if parameters.get("prompt") in {"login", "select_account"}:
        return None
    hint = parameters.get("login_hint", "").lower()
    if hint:
        return next((person for person in present if person[1].principal_name.lower() == hint), None)
    return present[0] if len(present) == 1 else None


def sign_in(call: Call, user: User, session: Session | None) -> Session:
    """The session, now with this user in it."""
    session = session or call.world.sessions.open(call.world.rng)
    session.users[user.object_id] = user.revocations
    return session


def with_cookie(response: Response, session: Session) -> Response:
    """The same answer, naming the session to the browser."""
    cookie = ("Set-Cookie", f"{COOKIE}={session.id}; path=/; secure; HttpOnly; SameSite=None")
    return replace(response, headers=(*response.headers, cookie))


def _issue(call: Call, request: AuthorizeRequest, user: User, scopes: RequestedScopes, session: Session) -> Response:
    authorization = Authorization(
        call.home().id,
        request.application.app_id,
        user.object_id,
        scopes,
        request.platform,
        call.now,
        user.revocations,
        request.get("nonce"),
    )
    fields: dict[str, str] = {}
    if "code" in request.types:
        challenge = request.get("code_challenge")
        method = request.get("code_challenge_method") or "plain"
        redirect_uri = request.redirect_uri if request.get("redirect_uri") else None
        code = Code(authorization, call.now, redirect_uri, challenge, method if challenge else "")
        fields["code"] = call.world.sessions.add_code(code, call.world.rng)
    fields |= implicit_tokens(call, request.application, user, authorization, request.types)
    if request.get("client_info") == "1":
        fields["client_info"] = client_info(call, user)
    return _deliver(call, request, fields | _state(request) | {"session_state": session.state})


def _cancelled(call: Call, request: AuthorizeRequest) -> Response:
    """The person went back: Entra gives no description then."""
    call.entry.error = "access_denied"
    return _deliver(call, request, {"error": "access_denied", "error_subcode": "cancel"} | _state(request))


def _refused(call: Call, request: AuthorizeRequest, refusal: StsError) -> Response:
    call.entry.error = str(refusal.code)
    text = described(refusal, call.request_id, correlation_id(call), sts_time(call.local_now))
    fields = {"error": refusal.error, "error_description": text} | error_uri(call, refusal)
    return _deliver(call, request, fields | _state(request))


def _deliver(call: Call, request: AuthorizeRequest, fields: dict[str, str]) -> Response:
    if request.mode == "form_post":
        return pages.hand_over(call, request.redirect_uri, fields)
    return redirect(call, request.redirect_uri, fields, "#" if request.mode == "fragment" else "?")


def redirect(call: Call, target: str, fields: dict[str, str], mark: str = "?") -> Response:
    """302 to a redirect URI, with these fields in its query (`?`) or fragment (`#`)."""
    join = "&" if mark == "?" and "?" in target else mark
    location = ("Location", f"{target}{join}{urlencode(fields, errors='replace')}" if fields else target)
    return Response(302, (*headers(call, "text/html; charset=utf-8"), location), b"")


def sign_out(call: Call, _tenant_name: str) -> Response:
    """Ends the browser's session; then back to the client, if it names itself and one of its own redirect URIs."""
    session = call.world.sessions.session(call.headers.get("cookie", ""))
    if session is not None:
        call.world.sessions.close(session)
    try:
        parameters = parameters_of(call)
        target = parameters.get("post_logout_redirect_uri", "")
        if not target or not parameters.get("client_id"):
            return pages.signed_out(call)
        target, _ = redirect_of(the_client(call, parameters, None), target)
    except StsError:
        return pages.signed_out(call)
    return redirect(call, target, {"state": parameters["state"]} if "state" in parameters else {})


def _state(request: AuthorizeRequest) -> dict[str, str]:
    return {"state": request.parameters["state"]} if "state" in request.parameters else {}


def _client_parameters(request: AuthorizeRequest) -> dict[str, str]:
    return {name: value for name, value in request.parameters.items() if name not in OWN_FIELDS}
