"""What can be done to a secret rotation from its page, each a form of its own."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from keyturn.approvals.domain import Consent
from keyturn.credentials.domain import Credential
from keyturn.kit.actor import Actor
from keyturn.kit.counting import counted
from keyturn.kit.secret import Plaintext
from keyturn.pages.approval_forms import ApprovalFields, asked_instead
from keyturn.pages.connections.removed import left_to_remove, removal_path
from keyturn.pages.rotations.urls import ONE, RotationPages, list_path, rotation_path
from keyturn.rotations.commands import HandedOver, SecretRotationChange
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import PageRoute, Redirect, post
from keyturn.web.schema.validate import Trimmed, Uuid


class RotateForm(ApprovalFields):
    reason: Literal["manual", "leaked"] = "manual"
    freeze_reason: Annotated[Trimmed, Meta(max_length=500)] = ""


class HandOverForm(ApprovalFields, kw_only=True):
    key_id: Annotated[Uuid, Meta(max_length=36)] = msgspec.field(name="keyId")
    client_secret: Annotated[Plaintext, Meta(min_length=1, max_length=200)] = msgspec.field(name="clientSecret")


class ReleaseForm(ApprovalFields, kw_only=True):
    """``confirmed``: although consumers hold it, who are named beside the button."""

    key_id: Uuid = msgspec.field(name="keyId")
    confirmed: Literal["yes", ""] = ""


class DeleteForm(ApprovalFields):
    """``secrets`` and ``keys``: what becomes of the two secrets here, and of the application's secrets at Entra ID."""

    confirm: Trimmed = ""
    secrets: Literal["keep", "delete"] = "keep"
    keys: Literal["keep", "remove"] = "keep"


def routes(pages: RotationPages, page: PageRoute) -> list[PageRoute]:
    """``page`` is the rotation's page, on which a refused form is shown again."""
    return [*_rotating(pages, page), *_switching(pages, page), *_previous(pages, page), _deleting(pages, page)]


def _rotating(pages: RotationPages, page: PageRoute) -> list[PageRoute]:
    @post(ONE + "/rotate", form_page=page)
    def rotate_now(actor: Actor, rotation_id: str, form: RotateForm) -> Redirect:
        why = form.freeze_reason or None
        leaked = form.reason == "leaked"
        asked = asked_instead(
            pages.approvals,
            actor,
            form,
            lambda consent: pages.rotations.rotate(
                actor, rotation_id, leaked=leaked, freeze_reason=why, consent=consent
            ),
        )
        return asked or Redirect(rotation_path(rotation_id), toast="The rotation has begun.")

    @post(ONE + "/check", form_page=page)
    def check_credentials(actor: Actor, rotation_id: str) -> Redirect:
        pages.values.check_credentials(actor, rotation_id)
        return Redirect(rotation_path(rotation_id), toast="The current secret signs in to Entra ID.")

    return [rotate_now, check_credentials]


def _switching(pages: RotationPages, page: PageRoute) -> list[PageRoute]:
    @post(ONE + "/pause", form_page=page)
    def pause_rotation(actor: Actor, rotation_id: str) -> Redirect:
        view = pages.rotations.update(actor, rotation_id, SecretRotationChange(enabled=False))
        name = view.secret_rotation.name
        return Redirect(rotation_path(rotation_id), toast=f"{name} does not rotate any more, until it is resumed.")

    @post(ONE + "/resume", form_page=page)
    def resume_rotation(actor: Actor, rotation_id: str) -> Redirect:
        view = pages.rotations.update(actor, rotation_id, SecretRotationChange(enabled=True))
        return Redirect(rotation_path(rotation_id), toast=f"{view.secret_rotation.name} rotates again.")

    return [pause_rotation, resume_rotation]


def _previous(pages: RotationPages, page: PageRoute) -> list[PageRoute]:
    @post(ONE + "/make-previous-current", form_page=page)
    def make_previous_current(actor: Actor, rotation_id: str) -> Redirect:
        pages.values.make_previous_current(actor, rotation_id)
        return Redirect(
            rotation_path(rotation_id), toast="The previous secret signed in, and is the current one again."
        )

    @post(ONE + "/hand-over", form_page=page)
    def hand_over_secret(actor: Actor, rotation_id: str, form: HandOverForm) -> Redirect:
        given = HandedOver(form.key_id, form.client_secret)
        asked = asked_instead(
            pages.approvals,
            actor,
            form,
            lambda consent: pages.values.hand_over(actor, rotation_id, given, consent),
        )
        return asked or Redirect(
            rotation_path(rotation_id), toast="The secret was handed over. It is kept until it is released."
        )

    @post(ONE + "/release", form_page=page)
    def release_secret(actor: Actor, rotation_id: str, form: ReleaseForm) -> Redirect:
        confirmed = form.confirmed == "yes"
        asked = asked_instead(
            pages.approvals,
            actor,
            form,
            lambda consent: pages.values.release(actor, rotation_id, form.key_id, confirmed=confirmed, consent=consent),
        )
        return asked or Redirect(rotation_path(rotation_id), toast="The secret is being removed from Entra ID.")

    return [make_previous_current, hand_over_secret, release_secret]


def _deleting(pages: RotationPages, page: PageRoute) -> PageRoute:
    @post(ONE + "/delete", form_page=page)
    def delete_rotation(actor: Actor, rotation_id: str, form: DeleteForm) -> Redirect:
        view = pages.rotations.get(actor, rotation_id)
        require_typed(form.confirm, view.secret_rotation.name)
        delete_secrets, revoke = form.secrets == "delete", form.keys == "remove"
        stay: list[Credential] = []
        warnings: list[str] = []

        def delete(consent: Consent) -> None:
            result = pages.rotations.delete(
                actor, rotation_id, delete_secrets=delete_secrets, revoke=revoke, consent=consent
            )
            stay.extend(result.stays_valid)
            if result.kept and result.kept.warning:
                warnings.append(result.kept.warning)

        if asked := asked_instead(pages.approvals, actor, form, delete):
            return asked
        count = len(stay)
        stays = counted(count, "secret of the application stays", "secrets of the application stay")
        still = f" {stays} valid at Entra ID until the end." if count else ""
        name, to = view.secret_rotation.name, list_path(view.secret_rotation.project_id)
        if revoke and left_to_remove(pages.removals, actor, view.rotation.id):
            to = removal_path(view.rotation.id)
            still += f" {'The others' if count else 'Its secrets'} are being removed from Entra ID: watch it here."
        kept = [f"The value that its secrets keep: {warning}" for warning in warnings]
        return Redirect(to, toast=" ".join([f"{name} was deleted.{still}", *kept]))

    return delete_rotation
