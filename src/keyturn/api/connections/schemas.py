"""JSON of app connections: what is asked. What is answered is in ``views``."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from keyturn.connections.domain import AuthorizationCode, CertificateFiles, ClientSecret, Method, NewConnection
from keyturn.errors import Invalid, Refused
from keyturn.kit import pasted, zones
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure import paste_checks
from keyturn.providers.azure.manifest import LONGEST_PEM, LONGEST_SECRET
from keyturn.providers.azure.survey import Pasted, survey
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.schedule import MAX_INTERVAL_DAYS, MIN_INTERVAL_DAYS
from keyturn.web.schema.paging import Window
from keyturn.web.schema.validate import (
    Fault,
    Normalized,
    Sentence,
    Slug,
    Tests,
    Uuid,
    json_object,
    parse,
    trimmed,
)
from keyturn.web.schema.wire import ApiModel

_UUID_SHAPE: dict[str, object] = {"format": "uuid"}
_SECRET_SHAPE: dict[str, object] = {"maxLength": LONGEST_SECRET}

Description = Annotated[str, trimmed, Meta(max_length=256)]


def _says(check: Callable[[str], paste_checks.PasteFault | None]) -> Callable[[str], str | None]:
    """Return the check of a field of the provider as the sentence that it says."""

    def sentence(text: str) -> str | None:
        fault = check(text)
        return f"{fault.message} {fault.fix}" if fault else None

    return sentence


TenantId = Annotated[
    str,
    trimmed,
    Normalized(pasted.identifier),
    Tests(_says(paste_checks.tenant_fault), "uuid"),
    Meta(description="Directory (tenant) ID, or one of the tenant's domains, which is then looked up."),
]
ClientId = Annotated[
    str,
    trimmed,
    Normalized(pasted.identifier),
    Tests(_says(paste_checks.client_id_fault), "uuid"),
    Meta(extra_json_schema=_UUID_SHAPE),
]
ClientSecretText = Annotated[
    Plaintext,
    trimmed,
    Normalized(pasted.secret),
    Tests(_says(lambda text: paste_checks.client_secret_fault(Plaintext(text)))),
    Meta(extra_json_schema=_SECRET_SHAPE),
]
KeyId = Annotated[
    str,
    trimmed,
    Normalized(pasted.identifier),
    Tests(_says(paste_checks.key_id_fault)),
    Meta(description="Secret ID of the client secret; needed when several begin alike."),
]
Pem = Annotated[
    Plaintext,
    trimmed,
    Normalized(pasted.block),
    Meta(
        max_length=LONGEST_PEM, description="PEM, bare base64, or the base64 of a PFX file; either field may hold both."
    ),
    Sentence("must have 1 to 65536 characters"),
]
Passphrase = Annotated[
    Plaintext,
    Meta(max_length=1024, description="Of an encrypted private key. Used once, never stored."),
]
CodeVerifier = Annotated[
    Plaintext,
    trimmed,
    Meta(pattern=r"^[A-Za-z0-9._~-]{43,128}$"),
    Sentence("must have 43 to 128 letters, digits and - . _ ~"),
]
Interval = Annotated[int, Meta(ge=MIN_INTERVAL_DAYS, le=MAX_INTERVAL_DAYS, description="Whole days.")]
WallTime = Annotated[
    str,
    trimmed,
    Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    Sentence("Write the time as HH:MM, from 00:00 to 23:59"),
]

# --- credentials ------------------------------------------------------------------------------------------------------


class ClientSecretCredentials(ApiModel):
    """Credentials of the method ``client-secret``. What people paste by mistake is told apart before anything is sent."""

    tenant_id: TenantId
    client_id: ClientId
    client_secret: ClientSecretText
    client_secret_key_id: KeyId | None = None

    def submission(self) -> ClientSecret:
        return ClientSecret(self.tenant_id, self.client_id, self.client_secret, self.client_secret_key_id or None)


class OAuthCredentials(ApiModel):
    """Credentials of the method ``oauth``: what the browser brought back. The tenant is an id or one of its domains.

    A code comes with the ``codeVerifier`` and ``nonce`` that its sign-in began with.
    """

    tenant_id: TenantId
    code: Annotated[Plaintext, trimmed, Meta(min_length=1, max_length=8192)]
    code_verifier: CodeVerifier | None = None
    nonce: Annotated[Plaintext, trimmed, Meta(min_length=1, max_length=256)] | None = None

    def check(self) -> Iterator[Fault]:
        if self.code_verifier is None and self.nonce is not None:
            yield Fault("Required beside nonce", path=("codeVerifier",))
        if self.nonce is None and self.code_verifier is not None:
            yield Fault("Required beside codeVerifier", path=("nonce",))

    def submission(self) -> AuthorizationCode:
        nonce = self.nonce.reveal() if self.nonce else None
        return AuthorizationCode(self.tenant_id, self.code, self.code_verifier, nonce)


class CertificateCredentials(ApiModel):
    """Credentials of the method ``certificate``. The private key signs on this server, and is never sent to Microsoft.

    To be rotated automatically, the certificate must be listed on the application by its thumbprint.
    """

    tenant_id: TenantId
    client_id: ClientId
    certificate_body: Pem = Plaintext("")
    private_key: Pem = Plaintext("")
    passphrase: Passphrase | None = None

    def check(self) -> Iterator[Fault]:
        for fault in survey(Pasted.of(self.certificate_body.reveal(), self.private_key)):
            yield Fault(f"{fault.message} {fault.fix}", path=(fault.field,))

    def submission(self) -> CertificateFiles:
        certificate, passphrase = self.certificate_body.reveal(), self.passphrase or None
        return CertificateFiles(self.tenant_id, self.client_id, certificate, self.private_key, passphrase)


AnyCredentials = ClientSecretCredentials | OAuthCredentials | CertificateCredentials
SHAPES: Mapping[str, type[AnyCredentials]] = {
    Method.CLIENT_SECRET: ClientSecretCredentials,
    Method.OAUTH: OAuthCredentials,
    Method.CERTIFICATE: CertificateCredentials,
}
_OWN_KEYS = {
    "clientSecret": Method.CLIENT_SECRET,
    "code": Method.OAUTH,
    "certificateBody": Method.CERTIFICATE,
    "privateKey": Method.CERTIFICATE,
}


def method_like(raw: Mapping[str, object], wanted: Method | None = None) -> Method | None:
    """Return the method that credentials are of, by their keys: the wanted one if it may be, None when it cannot be told."""
    methods = [owner for key, owner in _OWN_KEYS.items() if key in raw]
    return wanted if wanted in methods else next(iter(methods), None)


def read_credentials(raw: Mapping[str, object], method: Method) -> AnyCredentials:
    """Read credentials in the shape of a connection's method. Raises Invalid, or Refused for those of another method."""
    other = method_like(raw, method)
    if other not in {None, method}:
        raise Refused(
            f"These are credentials of the method '{other}', but the connection's method is '{method}'.",
            code="connections.method_fixed",
            fix="A connection's method cannot be changed: make another connection.",
        )
    return parse(SHAPES[method], raw, path=("credentials",))


# --- rotation ---------------------------------------------------------------------------------------------------------


class RotateAtUtc(ApiModel):
    hours: Annotated[int, Meta(ge=0, le=23)]
    minutes: Annotated[int, Meta(ge=0, le=59)]


def _unknown_zone(name: str) -> str | None:
    return None if name in zones.names() else zones.refusal(name)


class RotateAt(ApiModel):
    """A time on the clocks of a place, in summer and in winter."""

    time: WallTime
    time_zone: Annotated[str, trimmed, Tests(_unknown_zone)]


class RotationSettings(ApiModel):
    """A first schedule. ``rotateAt`` wins over ``rotateAtUtc``; one of them is needed.

    A certificate is known by itself; ``certificateKeyId`` is for one that Entra ID lists without its thumbprint.
    ``confirmKeyId`` answers for a key id that the list says nothing for or against: a wrong one removes another's credential.
    With ``moveOthersAlong`` false it is refused, and the others are named, when other connections hold the same credential;
    otherwise each rotation moves them along.
    """

    rotation_interval: Interval
    rotate_at_utc: RotateAtUtc | None = None
    rotate_at: RotateAt | None = None
    client_secret_key_id: KeyId | None = None
    certificate_key_id: KeyId | None = None
    confirm_key_id: bool = False
    move_others_along: bool = True

    def check(self) -> Iterator[Fault]:
        if self.rotate_at_utc is None and self.rotate_at is None:
            yield Fault("Required: say at what time, with rotateAtUtc or rotateAt", path=("rotateAtUtc",))

    def command(self) -> ScheduleChange:
        return _schedule_change(self)


class RotationChange(ApiModel):
    """What is absent stays as it is. ``clientSecretKeyId`` names the stored secret, so that nobody has to type it again."""

    rotation_interval: Interval | None = None
    rotate_at_utc: RotateAtUtc | None = None
    rotate_at: RotateAt | None = None
    client_secret_key_id: KeyId | None = None
    certificate_key_id: KeyId | None = None
    confirm_key_id: bool = False
    move_others_along: bool = True

    def command(self) -> ScheduleChange:
        return _schedule_change(self)


def _schedule_change(rotation: RotationSettings | RotationChange) -> ScheduleChange:
    key_id = rotation.client_secret_key_id or rotation.certificate_key_id or None
    change = ScheduleChange(rotation.rotation_interval, key_id=key_id, key_confirmed=rotation.confirm_key_id)
    if rotation.rotate_at:
        hour, _, minute = rotation.rotate_at.time.partition(":")
        return replace(change, hour=int(hour), minute=int(minute), time_zone=rotation.rotate_at.time_zone)
    if rotation.rotate_at_utc:
        at = rotation.rotate_at_utc
        return replace(change, hour=at.hours, minute=at.minutes, time_zone="UTC")
    return change


# --- connections ------------------------------------------------------------------------------------------------------


class AppConnectionDraft(ApiModel):
    """What the methods have in common. Gateways and platform-managed credentials are not for Azure."""

    name: Slug
    description: Description | None = None
    project_id: Uuid | None = None
    is_auto_rotation_enabled: bool | None = None
    rotation: RotationSettings | None = None
    is_platform_managed_credentials: Literal[False] | None = None
    gateway_id: UnsetType | None = UNSET
    gateway_pool_id: UnsetType | None = UNSET

    def check(self) -> Iterator[Fault]:
        if self.is_auto_rotation_enabled and self.rotation is None:
            yield Fault(
                "Required: to enable automatic rotation, send rotation.rotationInterval and rotation.rotateAtUtc",
                path=("rotation",),
            )

    def new_connection(self, credentials: AnyCredentials) -> NewConnection:
        return NewConnection(self.name, credentials.submission(), self.description or None, self.project_id)

    def schedule(self) -> ScheduleChange | None:
        """Return the first schedule; None for a connection that is not to rotate."""
        return self.rotation.command() if self.is_auto_rotation_enabled and self.rotation else None

    @property
    def moves_others_along(self) -> bool:
        return self.rotation is None or self.rotation.move_others_along


class CreateByClientSecret(AppConnectionDraft, kw_only=True, tag_field="method", tag="client-secret"):
    credentials: ClientSecretCredentials

    def command(self) -> NewConnection:
        return self.new_connection(self.credentials)


class CreateByOAuth(AppConnectionDraft, kw_only=True, tag_field="method", tag="oauth"):
    credentials: OAuthCredentials

    def command(self) -> NewConnection:
        return self.new_connection(self.credentials)


class CreateByCertificate(AppConnectionDraft, kw_only=True, tag_field="method", tag="certificate"):
    credentials: CertificateCredentials

    def command(self) -> NewConnection:
        return self.new_connection(self.credentials)


CreateAppConnection = CreateByClientSecret | CreateByOAuth | CreateByCertificate


class UpdateAppConnection(ApiModel):
    """What is absent stays as it is; an empty description is removed. ``credentials`` have the shape of the method."""

    name: Slug | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    credentials: Annotated[Plaintext, json_object] | None = None
    is_auto_rotation_enabled: bool | None = None
    rotation: RotationChange | None = None
    is_platform_managed_credentials: Literal[False] | None = None
    gateway_id: UnsetType | None = UNSET

    def check_beside(self) -> Iterator[Fault]:
        """Tell what is wrong with the credentials, whose method shows only by their keys; the connection is not known yet."""
        raw = json.loads(self.credentials.reveal()) if self.credentials else {}
        shape = SHAPES.get(method_like(raw) or "")
        if shape is None:
            return
        try:
            parse(shape, raw)
        except Invalid as error:
            for issue in error.issues:
                yield Fault("", ("credentials",), issue)

    def command(self, method: Method | None) -> ConnectionChange:
        """Return the change. ``method`` is the connection's, which says what shape credentials must have.

        Raises Invalid, or Refused for credentials of another method.
        """
        credentials = None
        if self.credentials is not None and method is not None:
            credentials = read_credentials(json.loads(self.credentials.reveal()), method).submission()
        return ConnectionChange(
            name=None if self.name is UNSET else self.name,
            description=None if self.description is UNSET else self.description or None,
            describe=self.description is not UNSET,
            credentials=credentials,
            enabled=self.is_auto_rotation_enabled,
            schedule=self.rotation.command() if self.rotation else None,
            move_along=self.rotation is None or self.rotation.move_others_along,
        )


class RotateCredentials(ApiModel):
    """``leaked``: the current secret and all that still overlap it are removed as soon as the new one works."""

    reason: Literal["manual", "leaked"] | None = None


# --- queries ----------------------------------------------------------------------------------------------------------


class InProject(ApiModel):
    project_id: Uuid | None = None


class PartOfProject(Window):
    project_id: Uuid | None = None


class DeleteAppConnection(ApiModel):
    """``true`` removes all secrets of the rotation from Entra ID, ``false`` none; else those that this server made."""

    revoke_credentials: bool | None = None


class RunsPage(ApiModel):
    """``before``: the ``createdAt`` of the last run of the page before."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    before: datetime | None = None
