"""Use cases of signing in by browser: begin sends the browser away, finish takes it back and makes the connection.

What protects it: the state is random, single-use, ten minutes old at most, and bound to the user and to their browser session;
PKCE binds the code to this flow, the nonce binds the answer; the tenant must be the one that was asked for; and the browser
is only ever sent to a path of this server afterwards.
"""

from dataclasses import replace
from typing import NoReturn

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.domain import Action
from keyturn.connections import store
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection, NewConnection
from keyturn.connections.flow import (
    FLOW_LIFE,
    PendingSignIn,
    SignInContext,
    SignInRedirect,
    SignInRequest,
    SignInResult,
    UnverifiedCallback,
    challenge,
    check_flow,
    check_return_path,
    digest,
    flow_seal_context,
    pack_flow,
    unpack_flow,
)
from keyturn.connections.verification import Verifier
from keyturn.connections.writes import ConnectionWriter
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import Tenant
from keyturn.ports.sealing import Sealer
from keyturn.ports.sign_in import BrowserMethod


class SignIns:
    """Sign-ins by browser. Safe to share between threads; several at once for one user are normal (tabs)."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        method: BrowserMethod,
        clock: Clock,
        ids: Ids,
        verifier: Verifier,
        writer: ConnectionWriter,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._method = method
        self._clock = clock
        self._ids = ids
        self._verifier = verifier
        self._writer = writer

    # --- going ------------------------------------------------------------------------------------------------------

    def begin(self, actor: Actor, session: Plaintext | None, request: SignInRequest) -> SignInRedirect:
        """Return where to send the browser, for a new connection or (``connection_id``) to connect one again.

        ``session`` is a secret of this browser's session; only the same session can finish. Raises before anything is stored:
        Misconfigured without settings for OAuth, Refused, Forbidden, NotFound, or NeedsAction for what is no single tenant.
        """
        binding = _binding(session)
        form, cloud = self._check(actor, request)
        _ = self._method.client_id  # raises on a server that is not set up for it
        check_return_path(form.return_to)
        state, verifier, nonce = self._secret(), self._secret(), self._secret()
        url = self._method.authorize_url(
            Tenant(cloud, form.tenant_id),
            state=state.reveal(),
            nonce=nonce.reveal(),
            challenge=challenge(verifier),
        )
        now, new = self._clock.now(), self._ids.new()
        sealed = self._sealer.seal(pack_flow(SignInContext(form, verifier, nonce.reveal())), flow_seal_context(new))
        flow = PendingSignIn(
            id=new,
            digest=digest(state),
            binding=binding,
            actor_kind=actor.kind.value,
            actor_id=actor.id or "",
            org_id=actor.org_id,
            payload=sealed,
            expires_at=now + FLOW_LIFE,
            created_at=now,
        )
        with self._database.write() as tx:
            store.insert_flow(tx, flow)
        return SignInRedirect(url, flow.expires_at)

    def _secret(self) -> Plaintext:
        """43 characters with 256 random bits: long and plain enough for a code verifier (RFC 7636, section 4.1)."""
        return Plaintext(self._ids.secret())

    def _check(self, actor: Actor, request: SignInRequest) -> tuple[SignInRequest, str]:
        """Return the request with what the connection to connect again knows already, and the cloud to sign in at."""
        with self._database.read() as tx:
            if request.connection_id:
                connection = _reconnectable(tx, actor, request.connection_id, self._method.key)
                form = replace(
                    request,
                    tenant_id=request.tenant_id or connection.tenant_id,
                    name=connection.name,
                    description=connection.description,
                    project_id=connection.project_id,
                )
                return form, connection.cloud
            if not request.name:
                raise Refused(
                    "A new connection needs a name.", code="connections.name_missing", field="name", fix="Send name."
                )
            self._writer.check_new(tx, actor, request.name, request.project_id)
        return request, self._writer.cloud

    # --- coming back --------------------------------------------------------------------------------------------------

    def finish(self, actor: Actor, session: Plaintext | None, callback: UnverifiedCallback) -> SignInResult:
        """End a sign-in. Its state is used up in any case, so this is NOT repeatable: of several callers one gets through.

        Raises Refused when this is not the sign-in of this user in this session, or it is over. Once it is known to be theirs,
        whatever goes wrong is part of the answer, together with the form, so that nothing has to be typed again.
        """
        flow = self._end(actor, _binding(session), callback.state)
        if flow.payload is None:
            raise RuntimeError("an open sign-in without its payload")
        context = unpack_flow(self._sealer.open(flow.payload, flow_seal_context(flow.id)))
        try:
            connection = self._connect(actor, context, callback)
        except KeyturnError as failure:
            self._record_failure(actor, context.form, flow, failure)
            return SignInResult(context.form, failure=failure)
        return SignInResult(context.form, connection)

    def _end(self, actor: Actor, binding: str, state: Plaintext) -> PendingSignIn:
        now = self._clock.now()
        with self._database.write() as tx:
            flow = store.end_flow(tx, digest(state), now)
        return check_flow(flow, actor, binding, now)

    def _connect(self, actor: Actor, context: SignInContext, callback: UnverifiedCallback) -> Connection:
        form, cloud = self._check(actor, context.form)
        if callback.code is None or callback.said.get("error"):
            self._refuse(form, callback)
        code = self._method.code(form.tenant_id, callback.code, context.verifier, context.nonce)
        verified = self._verifier.verify(code, cloud)
        with self._database.write() as tx:
            if form.connection_id is None:
                draft = NewConnection(form.name or "", code, form.description, form.project_id, form.owner)
                return self._writer.insert(tx, actor, draft, verified)
            connection = connection_for(tx, actor, form.connection_id, Action.EDIT_CONNECTIONS, lock=True)
            return self._writer.replace_credentials(tx, actor, connection, verified)

    def _refuse(self, form: SignInRequest, callback: UnverifiedCallback) -> NoReturn:
        if not callback.said:
            raise Refused(
                "The browser was sent back without a code.",
                code="connections.oauth_code_missing",
                fix="Connect again. If it happens again, check what stands between the browser and this server.",
            )
        tenant = Tenant(self._writer.cloud, form.tenant_id)
        self._method.refuse(tenant, callback.said)

    def _record_failure(self, actor: Actor, form: SignInRequest, flow: PendingSignIn, failure: KeyturnError) -> None:
        facts = {"name": form.name, "tenantId": form.tenant_id, "code": failure.code, "message": failure.message}
        subject = Subject(SubjectKind.CONNECTION, form.connection_id or flow.id, form.project_id)
        with self._database.write() as tx:
            record(tx, actor, events.CONNECTION_SIGN_IN_FAILED, subject, self._clock.now(), **facts)


def _reconnectable(tx: Tx, actor: Actor, connection_id: str, method: str) -> Connection:
    connection = connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS)
    if connection.method != method:
        raise Refused(
            f"The connection's method is '{connection.method}', which needs no sign-in.",
            code="connections.method_fixed",
            fix="A connection's method cannot be changed: make another connection.",
        )
    return connection


def _binding(session: Plaintext | None) -> str:
    """Return what a sign-in is bound to. Raises Refused for a caller without a session or an access token."""
    if session is None:
        raise Refused(
            "A sign-in by browser that is started over the API is bound to an access token.",
            code="connections.token_needed",
            fix="Send an access token, or use the page of the connection.",
        )
    return digest(session)
