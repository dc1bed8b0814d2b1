"""Routes of app connections and of the rotation of their own secret."""

from collections.abc import Sequence

from keyturn.api.approvals.asking import ALSO_APPROVED, Asking
from keyturn.api.connections import (
    conversion_routes,
    history_views,
    method_views,
    preview_views,
    removal_views,
    views,
)
from keyturn.api.connections.app_types import AppTypes, types_of
from keyturn.api.connections.schemas import (
    AppConnectionDraft,
    DeleteAppConnection,
    InProject,
    PartOfProject,
    RotateCredentials,
    RunsPage,
    UpdateAppConnection,
)
from keyturn.api.connections.sign_in_schemas import FinishSignIn, StartSignIn
from keyturn.approvals.service import Approvals
from keyturn.connections.connection_test import ConnectionTests
from keyturn.connections.domain import Connection
from keyturn.connections.health import readable
from keyturn.connections.oauth import SignIns
from keyturn.connections.service import Connections
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.ports.clock import Clock
from keyturn.providers.registry import Providers
from keyturn.rotations.change_previews import ChangePreviews
from keyturn.rotations.conversion.service import Conversions
from keyturn.rotations.domain import Reason
from keyturn.rotations.history import RotationHistory
from keyturn.rotations.overviews import Overviews
from keyturn.rotations.removals import Removals
from keyturn.rotations.self_rotation import SelfRotation
from keyturn.web.routes import Caller, Operation, Routes, delete, get, group, patch, post
from keyturn.web.schema.validate import Uuid

ALL = "/api/v1/app-connections"


def router(
    connections: Connections,
    rotations: SelfRotation,
    sign_ins: SignIns,
    tests: ConnectionTests,
    history: RotationHistory,
    removals: Removals,
    overviews: Overviews,
    providers: Providers,
    approvals: Approvals,
    conversions: Conversions,
    previews: ChangePreviews,
    *,
    oauth_client_id: str | None,
    clock: Clock,
) -> Routes:
    """Return the routes. ``oauth_client_id`` is shown to browsers that start a sign-in; without it they cannot."""
    shelf, asking = _Shelf(overviews, providers, clock), Asking(approvals, clock)
    operations = _lists_of_all(connections, shelf, providers, oauth_client_id)
    for provider in providers.all:
        types, root = types_of(provider), f"{ALL}/{provider.manifest.app}"
        operations += [
            *_lists(connections, shelf, provider.manifest.app),
            *_single(connections, tests, shelf, root),
            *_changing(rotations, shelf, root, types, asking),
            *_rotating(rotations, shelf, root, asking),
            _preview(previews, root),
            *_history(history, removals, root),
        ]
        if provider.identity:
            operations += conversion_routes.routes(conversions, root, asking)
        if types.sign_in:
            operations += _signing_in(sign_ins, shelf, root, types.sign_in)
    return group("App connections", *operations)


class _Shelf:
    """Shows connections together with their rotations: a fixed number of statements, however many they are."""

    def __init__(self, overviews: Overviews, providers: Providers, clock: Clock) -> None:
        self._overviews = overviews
        self._providers = providers
        self._clock = clock

    def list(self, actor: Actor, connections: Sequence[Connection]) -> views.AppConnectionList:
        overviews, now = self._overviews.of(actor, connections), self._clock.now()

        def show(connection: Connection) -> views.AppConnectionShown:
            overview, method = overviews[connection.id], self._providers.find(connection.app, connection.method)
            connection = readable(connection, self._providers)
            return views.present_connection(connection, method, overview.rotation, overview.home, now, overview.sharing)

        return views.AppConnectionList([show(connection) for connection in connections])

    def show(self, actor: Actor, connection: Connection) -> views.AppConnectionShown:
        return self.list(actor, [connection]).app_connections[0]

    def answer(self, actor: Actor, connection: Connection) -> views.AppConnectionAnswer:
        return views.AppConnectionAnswer(self.show(actor, connection))


# --- reading ----------------------------------------------------------------------------------------------------------


def _lists_of_all(
    connections: Connections, shelf: _Shelf, providers: Providers, oauth_client_id: str | None
) -> list[Operation]:
    @get(f"{ALL}/options", compressed=True)
    def list_app_connection_options(actor: Actor) -> views.AppConnectionOptions:  # noqa: ARG001 - for the signed-in only
        """List the kinds of app connections that this server knows."""
        return views.options(providers, oauth_client_id)

    @get(ALL)
    def list_app_connections(actor: Actor, query: PartOfProject) -> views.AppConnectionList:
        """List app connections by name.

        Those of the project, or without one all that the caller may read: of the organization and of its projects.
        """
        return shelf.list(actor, query.part_of(connections.visible(actor, query.project_id)))

    return [list_app_connection_options, list_app_connections]


def _lists(connections: Connections, shelf: _Shelf, app: str) -> list[Operation]:
    root = f"{ALL}/{app}"

    @get(root)
    def list_app_connections(actor: Actor, query: PartOfProject) -> views.AppConnectionList:
        """List app connections by name.

        Those of the project, or without one all that the caller may read: of the organization and of its projects.
        """
        return shelf.list(actor, query.part_of(_of_app(connections.visible(actor, query.project_id), app)))

    @get(f"{root}/available", compressed=True)
    def list_available_app_connections(actor: Actor, query: PartOfProject) -> views.AvailableAppConnections:
        """List the app connections that the caller may use in the project: its own and the organization's."""
        others = query.part_of(_of_app(connections.available(actor, query.project_id), app))
        return views.AvailableAppConnections([views.available(connection) for connection in others])

    return [list_app_connections, list_available_app_connections]


def _of_app(connections: Sequence[Connection], app: str) -> list[Connection]:
    return [connection for connection in connections if connection.app == app]


def _single(connections: Connections, tests: ConnectionTests, shelf: _Shelf, root: str) -> list[Operation]:
    one = f"{root}/{{connection_id}}"

    @get(one)
    def get_app_connection(actor: Actor, connection_id: Uuid) -> views.AppConnectionAnswer:
        """Show an app connection. Its secret is never shown."""
        return shelf.answer(actor, connections.get(actor, connection_id))

    @get(f"{root}/connection-name/{{connection_name}}")
    def get_app_connection_by_name(actor: Actor, connection_name: str, query: InProject) -> views.AppConnectionAnswer:
        """Show the app connection of this name in the project, or without one in the organization."""
        return shelf.answer(actor, connections.by_name(actor, connection_name, query.project_id))

    @get(f"{one}/clients", compressed=True)
    def list_app_connection_clients(actor: Actor, connection_id: Uuid) -> views.ClientList:
        """List the applications that the connection can see."""
        applications = connections.clients(actor, connection_id)
        return views.ClientList(
            [
                views.ClientShown(application.object_id, application.name, application.app_id)
                for application in applications
            ]
        )

    @post(f"{one}/test")
    def test_app_connection(actor: Actor, connection_id: Uuid) -> method_views.ConnectionTestReport:
        """Try the connection now, and say what works. Changes nothing at the provider."""
        return method_views.report(tests.run(actor, connection_id))

    return [get_app_connection, get_app_connection_by_name, list_app_connection_clients, test_app_connection]


# --- changing ---------------------------------------------------------------------------------------------------------


def _changing(rotations: SelfRotation, shelf: _Shelf, root: str, types: AppTypes, asking: Asking) -> list[Operation]:
    one = f"{root}/{{connection_id}}"

    @post(root, types={"data": types.draft})
    def create_app_connection(actor: Actor, data: AppConnectionDraft) -> views.AppConnectionAnswer:
        """Make an app connection, once its credentials have proved to work.

        With ``isAutoRotationEnabled`` the server takes the client secret or the certificate over: it makes a new one at once,
        and removes the one given as soon as the new one works. It is refused for the method ``oauth``. Without it,
        ``rotation`` has no effect.
        """
        along = data.moves_others_along
        return shelf.answer(actor, rotations.create(actor, data.command(), data.schedule(), move_along=along))

    @patch(one, types={"data": types.update}, also=ALSO_APPROVED)
    def update_app_connection(
        actor: Actor, connection_id: Uuid, data: UpdateAppConnection
    ) -> views.AppConnectionAnswer:
        """Change an app connection: all that is asked or, if anything is refused, nothing.

        Credentials equal to those last given leave the current secret alone, however often it was rotated since. Where a second
        person is needed, new ones are changed alone.
        """
        change = data.command(types.read)
        connection = asking.done(
            actor,
            lambda consent: rotations.update(actor, connection_id, change, consent),
            reason=data.approval_reason,
        )
        return shelf.answer(actor, connection)

    @delete(one, also=ALSO_APPROVED)
    def delete_app_connection(
        actor: Actor, connection_id: Uuid, query: DeleteAppConnection
    ) -> views.DeletedAppConnection:
        """Delete an app connection. ``staysValid`` lists the secrets that will still sign in."""
        connection, rows = asking.done(
            actor,
            lambda consent: rotations.delete(actor, connection_id, revoke=query.revoke_credentials, consent=consent),
            reason=query.approval_reason,
        )
        return views.DeletedAppConnection(shelf.show(actor, connection), [views.valid_secret(row) for row in rows])

    return [create_app_connection, update_app_connection, delete_app_connection]


# --- signing in by browser --------------------------------------------------------------------------------------------


def _signing_in(sign_ins: SignIns, shelf: _Shelf, root: str, start: type[StartSignIn]) -> list[Operation]:
    @post(f"{root}/oauth/authorize-url", types={"data": start})
    def start_app_connection_sign_in(actor: Actor, caller: Caller, data: StartSignIn) -> method_views.SignInStarted:
        """Start a sign-in by browser, for a new connection or to connect one again.

        Only the access token that started it can finish it, within ten minutes.
        """
        begun = sign_ins.begin(actor, caller.token, data.command())
        return method_views.SignInStarted(begun.url, iso(begun.expires_at))

    @post(f"{root}/oauth/callback")
    def finish_app_connection_sign_in(actor: Actor, caller: Caller, data: FinishSignIn) -> views.SignInFinished:
        """Finish a sign-in with what the browser brought back. Its state is used up, whatever comes of it."""
        result = sign_ins.finish(actor, caller.token, data.command())
        if result.connection is None:
            raise result.failure or RuntimeError("a sign-in that neither failed nor made a connection")
        return views.SignInFinished(shelf.show(actor, result.connection), result.form.return_to)

    return [start_app_connection_sign_in, finish_app_connection_sign_in]


# --- rotating ---------------------------------------------------------------------------------------------------------


def _rotating(rotations: SelfRotation, shelf: _Shelf, root: str, asking: Asking) -> list[Operation]:
    @post(f"{root}/{{connection_id}}/rotate-credentials", also=ALSO_APPROVED)
    def rotate_app_connection_credentials(
        actor: Actor, connection_id: Uuid, query: RotateCredentials, data: RotateCredentials | None
    ) -> views.AppConnectionAnswer:
        """Rotate the connection's secret now. Answers before it is done; a rotation under way is joined."""
        leaked = Reason.LEAKED.value in {query.reason, data.reason if data else None}
        said = data or query
        why = query.freeze_reason or said.freeze_reason
        connection, _ = asking.done(
            actor,
            lambda consent: rotations.rotate_now(
                actor, connection_id, leaked=leaked, freeze_reason=why, consent=consent
            ),
            reason=query.approval_reason or said.approval_reason,
            emergency=query.emergency_reason or said.emergency_reason,
        )
        return shelf.answer(actor, connection)

    return [rotate_app_connection_credentials]


def _preview(previews: ChangePreviews, root: str) -> Operation:
    @get(f"{root}/{{connection_id}}/preview")
    def preview_app_connection_change(
        actor: Actor, connection_id: Uuid, query: preview_views.PreviewConnectionChange
    ) -> preview_views.ConnectionPreviewAnswer:
        """Say what the deletion would do, or a rotation because of a leak: which secrets are removed, which stay valid.

        Nothing is changed. Who may not do it is refused.
        """
        if query.change == "leak":
            return preview_views.preview(previews.leak_of_connection(actor, connection_id))
        found = previews.deletion_of_connection(actor, connection_id, revoke=query.revoke_credentials)
        return preview_views.preview(found)

    return preview_app_connection_change


def _history(history: RotationHistory, removals: Removals, root: str) -> list[Operation]:
    one = f"{root}/{{connection_id}}"

    @get(f"{one}/credentials")
    def list_app_connection_credentials(actor: Actor, connection_id: Uuid) -> history_views.Journal:
        """List every secret that the rotation ever asked for or took over, newest first. Never their values."""
        return history_views.Journal(
            [history_views.journal_entry(row) for row in history.credentials(actor, connection_id)]
        )

    @get(f"{one}/rotation-runs", compressed=True)
    def list_app_connection_rotation_runs(actor: Actor, connection_id: Uuid, query: RunsPage) -> history_views.RunList:
        """List the rotations that were tried, newest first, with their steps."""
        runs_and_steps = history.runs(actor, connection_id, query.limit, query.before)
        return history_views.RunList([history_views.run(run, steps) for run, steps in runs_and_steps])

    @get(f"{root}/removals", compressed=True)
    def list_app_connection_removals(actor: Actor, query: InProject) -> removal_views.RemovalList:
        """List deleted connections whose credentials are still being removed at the provider.

        Those of the project, or without one all that the caller may read.
        """
        matches = removals.under_way(actor, query.project_id)
        return removal_views.RemovalList([removal_views.removal(removal) for removal in matches])

    @get(f"{root}/removals/{{removal_id}}", compressed=True)
    def get_app_connection_removal(actor: Actor, removal_id: Uuid) -> removal_views.RemovalAnswer:
        """Show how far the removal of a deleted connection's credentials is, also when it is done."""
        return removal_views.RemovalAnswer(removal_views.removal(removals.get(actor, removal_id)))

    return [
        list_app_connection_credentials,
        list_app_connection_rotation_runs,
        list_app_connection_removals,
        get_app_connection_removal,
    ]
