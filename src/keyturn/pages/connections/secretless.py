"""The page on which a connection is made to sign in without a secret, and on which that is watched."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from msgspec import Meta, field

from keyturn.approvals.domain import ApprovalNeed
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.approval_forms import ApprovalFields, asked_instead
from keyturn.pages.connections.create import NOT_IN_FORMS
from keyturn.pages.connections.forms import form_state_of
from keyturn.pages.connections.urls import ONE, ConnectionPages, PageOfPlace, connection_path
from keyturn.ports.sign_in import SignInMethod
from keyturn.rotations.conversion.domain import Conversion, ConversionState
from keyturn.rotations.conversion.service import ConversionPlan
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import FormState, Outcome, PageResponse, PageRoute, Redirect, get, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

_SHORT = "secretless"
_STEPS = (
    (ConversionState.TRUSTING, "The application trusts the identity"),
    (ConversionState.PROVING, "It is proven: five sign-ins in a row without the secret"),
    (ConversionState.WATCHING, "The connection signs in without the secret, and is watched"),
    (ConversionState.DONE, "The secret is removed"),
)
_ORDER = [state for state, _ in _STEPS]


class SecretlessForm(ApprovalFields, rename=None):
    token_source: Annotated[Trimmed, Meta(max_length=40)] = field(default="", name="tokenSource")
    watch_hours: Annotated[Trimmed, Meta(max_length=4)] = field(default="24", name="watchHours")


class TakeBackForm(ApiModel, rename=None):
    leave: Annotated[Trimmed, Meta(max_length=4)] = ""


@dataclass(frozen=True)
class StepShown:
    """One step of the way. ``state`` is done, now or later."""

    text: str
    state: str


@dataclass(frozen=True)
class SecretlessPage(PageOfPlace):
    template: ClassVar[str] = "connections/secretless.html"

    connection: Connection
    method: SignInMethod
    identity: SignInMethod
    sources: Sequence[str]
    may: bool
    conversion: Conversion | None
    removed_by: datetime | None
    steps: Sequence[StepShown]
    plan: ConversionPlan | None
    approval: ApprovalNeed
    form_state: FormState

    @property
    def source_options(self) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in self.sources]

    @property
    def busy(self) -> bool:
        return self.conversion is not None and self.conversion.under_way

    @property
    def moves(self) -> bool:
        """Whether something is about to change within a minute."""
        return self.busy and self.conversion is not None and self.conversion.state is not ConversionState.WATCHING


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(f"{ONE}/{_SHORT}")
    def secretless(actor: Actor, connection_id: str, form_state: FormState) -> SecretlessPage:
        return _page(pages, actor, connection_id, form_state)

    @post(f"{ONE}/{_SHORT}/plan", form_page=secretless)
    def plan_secretless(actor: Actor, connection_id: str, form: SecretlessForm) -> Outcome:
        try:
            plan = pages.conversions.plan(actor, connection_id, form.token_source)
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            return _refused(pages, actor, connection_id, form, error)
        state = form_state_of(_path(connection_id), form)
        return PageResponse(_page(pages, actor, connection_id, state, plan))

    @post(f"{ONE}/{_SHORT}", form_page=secretless)
    def begin_secretless(actor: Actor, connection_id: str, form: SecretlessForm) -> Outcome:
        text = form.watch_hours
        watch = timedelta(hours=int(text) if text.isdecimal() else 0)
        name = pages.connections.get(actor, connection_id).name
        try:
            asked = asked_instead(
                pages.approvals,
                actor,
                form,
                lambda consent: pages.conversions.begin(actor, connection_id, form.token_source, watch, consent),
            )
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            return _refused(pages, actor, connection_id, form, error)
        return asked or Redirect(_path(connection_id), toast=f"{name} is on its way to sign in without a secret.")

    @post(f"{ONE}/{_SHORT}/back", form_page=secretless)
    def take_back_secretless(actor: Actor, connection_id: str, form: TakeBackForm) -> Redirect:
        connection, conversion = pages.conversions.go_back(actor, connection_id, leave=bool(form.leave))
        done = "has gone back" if not conversion.under_way else "goes back"
        return Redirect(_path(connection_id), toast=f"{connection.name} {done} to its secret.")

    return [secretless, plan_secretless, begin_secretless, take_back_secretless]


def _path(connection_id: str) -> str:
    return connection_path(connection_id, _SHORT)


def _refused(
    pages: ConnectionPages, actor: Actor, connection_id: str, form: SecretlessForm, error: KeyturnError
) -> PageResponse:
    state = form_state_of(_path(connection_id), form, error)
    return PageResponse(_page(pages, actor, connection_id, state), status=error.status)


def _page(
    pages: ConnectionPages,
    actor: Actor,
    connection_id: str,
    form_state: FormState = EMPTY,
    plan: ConversionPlan | None = None,
) -> SecretlessPage:
    conversion = pages.conversions.newest(actor, connection_id)
    connection = pages.connections.get(actor, connection_id)
    identity = pages.providers.identity_of(connection.app)
    source = next((field for field in identity.fields if field.choices), None)
    return SecretlessPage(
        place=pages.place(actor, connection.project_id),
        connection=connection,
        method=pages.providers.method_of(connection),
        identity=identity,
        sources=source.choices if source else (),
        may=Action.CREATE_CONNECTIONS.value in pages.place(actor, None).can,
        conversion=conversion,
        removed_by=conversion.trust_removed_by(pages.clock.now()) if conversion else None,
        steps=_steps(conversion) if conversion else (),
        plan=plan,
        approval=pages.approvals.needed(actor, connection.project_id),
        form_state=form_state,
    )


def _steps(conversion: Conversion) -> list[StepShown]:
    if conversion.state not in _ORDER:
        return []
    at, over = _ORDER.index(conversion.state), conversion.state is ConversionState.DONE
    return [
        StepShown(text, "done" if number < at or over else "now" if number == at else "later")
        for number, (_, text) in enumerate(_STEPS)
    ]
