"""A whole provider in one file: boxes in memory, each opens with its words. It imports ports, errors and kit only."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from keyturn.errors import NeedsAction, RefusalReason, Refused
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import Field, FieldFault
from keyturn.ports.manifest import Manifest
from keyturn.ports.preflight import NO_POLICIES, PolicyReport
from keyturn.ports.provider import (
    AccessToken,
    ApplicationPage,
    ApplicationSummary,
    Capability,
    CredentialRequest,
    IssuedCredential,
    MadeCredential,
    Principal,
    RemoteApplication,
    RemoteCredential,
    Tenant,
)
from keyturn.ports.sign_in import CredentialWords, PermissionReport

LAND = "toy-land"
FOREVER = datetime(9000, 1, 1, tzinfo=UTC)
WORD = Field(
    "toyWord", "Toy Word", "The word that opens the toy box.", secret=True, min_length=3, description="A toy's word."
)
BOX = Field("toyBox", "Toy Box", "The box with the toys.", fault=lambda text: None if text.isalnum() else "No box.")


@dataclass
class Toys:
    """The service behind the provider: words by key id, by box."""

    boxes: dict[str, dict[str, str]] = field(default_factory=dict)
    made: int = 0

    def add(self, box: str, word: str | None = None) -> tuple[str, str]:
        self.made += 1
        key_id, word = f"toy-key-{self.made}", word or f"toyish-word-{self.made}"
        self.boxes.setdefault(box, {})[key_id] = word
        return key_id, word


@dataclass(frozen=True)
class ToyCredentials:
    client_id: str
    word: Plaintext
    app: ClassVar[str] = "toy"
    method: ClassVar[str] = "toy-word"
    tenant_id: ClassVar[str] = LAND
    key_id: ClassVar[str | None] = None


class ToyWords:
    """The kind of credential: the service makes a new word."""

    def __init__(self, toys: Toys) -> None:
        self._toys = toys

    def make(self, _marker: str, _now: datetime, _ends_at: datetime) -> MadeCredential | None:
        return None

    def sign_in(self, _tenant: Tenant, app_id: str, value: Plaintext) -> AccessToken:
        if value.reveal() in self._toys.boxes.get(app_id, {}).values():
            return AccessToken(Plaintext(f"open {app_id}"), FOREVER, client_id=app_id)
        raise NeedsAction(
            "The toy box does not open with this word.",
            code="toy.word_wrong",
            fix="Look under the bed.",
            reason=RefusalReason.CREDENTIAL_UNKNOWN,
            field=WORD.name,
        )

    def application(
        self, _tenant: Tenant, _token: AccessToken, *, app_id: str | None = None, object_id: str | None = None
    ) -> RemoteApplication:
        box = app_id or str(object_id).removeprefix("toys-of-")
        words = self._toys.boxes[box]
        listed = [RemoteCredential(key, key, word[:3], None, FOREVER) for key, word in words.items()]
        return RemoteApplication(f"toys-of-{box}", box, f"Box {box}", "toys", tuple(listed), None)

    def check_may_write(self, _tenant: Tenant, _token: AccessToken, _application: RemoteApplication) -> None:
        """Whoever opens a box may change its words."""

    def policy(
        self, _tenant: Tenant, _token: AccessToken, _application: RemoteApplication, _lifetime: timedelta
    ) -> PolicyReport:
        return NO_POLICIES

    def identified(
        self, _tenant: Tenant, _token: AccessToken, application: RemoteApplication, _value: Plaintext
    ) -> RemoteApplication:
        return application

    def matches(self, credential: RemoteCredential, value: Plaintext) -> bool:
        return credential.hint == value.hint()

    def add(
        self, _tenant: Tenant, _token: AccessToken, _signer: Plaintext | None, order: CredentialRequest
    ) -> IssuedCredential:
        key_id, word = self._toys.add(order.object_id.removeprefix("toys-of-"))
        return IssuedCredential(key_id, word[:3], Plaintext(word), order.ends_at - timedelta(days=30), order.ends_at)

    def remove(
        self, _tenant: Tenant, _token: AccessToken, _signer: Plaintext | None, object_id: str, key_id: str
    ) -> None:
        self._toys.boxes[object_id.removeprefix("toys-of-")].pop(key_id, None)


class ToyMethod:
    app = "toy"
    key = "toy-word"
    label = "Toy Word"
    help = "A box opens with its word."
    words = CredentialWords("toy word", "word", "Toy Word", "word")
    signed_in = "The toy box opens."
    credential_field = WORD.name
    browser = False
    as_server = False
    unavailable: str | None = None
    fields: Sequence[Field] = (BOX, WORD)
    rotation_fields: Sequence[Field] = ()
    schema_name = "ToyWord"
    schema_help = "Credentials of the method ``toy-word``."

    def __init__(self, toys: Toys) -> None:
        self._kind = ToyWords(toys)

    def faults(self, value: Callable[[str], Any]) -> Iterable[FieldFault]:
        if value(BOX.name) == value(WORD.name).reveal():
            yield FieldFault(WORD.name, "The word is the name of the box.")

    def supplied(self, values: Mapping[str, Any]) -> ToyCredentials:
        return ToyCredentials(values[BOX.name], values[WORD.name])

    def read(self, credentials: ToyCredentials, _now: datetime | None) -> ToyCredentials:
        return credentials

    def locate(self, _cloud: str, credentials: ToyCredentials) -> ToyCredentials:
        return credentials

    def accept(self, cloud: str, credentials: ToyCredentials) -> ToyCredentials:
        self.sign_in(Tenant(cloud, LAND), credentials)
        return credentials

    def sign_in(self, tenant: Tenant, credentials: ToyCredentials) -> AccessToken:
        return self._kind.sign_in(tenant, credentials.client_id, credentials.word)

    def hashed(self, credentials: ToyCredentials) -> Sequence[str]:
        return [credentials.client_id, credentials.word.reveal()]

    def value(self, credentials: ToyCredentials) -> Plaintext:
        return credentials.word

    def of_value(self, _tenant_id: str, client_id: str, value: Plaintext) -> ToyCredentials:
        return ToyCredentials(client_id, value)

    def value_of_parts(self, _parts: Any, _facts: Any, _ends_at: Any) -> None:
        return None

    def fingerprint(self, value: Plaintext) -> str:
        return value.reveal()

    def facts(self, _credentials: ToyCredentials) -> None:
        return None

    def ends_at(self, _credentials: ToyCredentials) -> None:
        return None

    def kind(self, *, app_id: str | None = None) -> ToyWords:
        return self._kind

    def match(
        self,
        listed: Sequence[RemoteCredential],
        credentials: ToyCredentials,
        _now: datetime,
        _key_id: str | None,
        *,
        confirmed: bool,
    ) -> RemoteCredential:
        for credential in listed:
            if self._kind.matches(credential, credentials.word):
                return credential
        raise Refused("No such word.", code="toy.word_unlisted", field=WORD.name)

    def application(self, tenant: Tenant, token: AccessToken, client_id: str) -> RemoteApplication:
        return self._kind.application(tenant, token, app_id=client_id)

    def permission(
        self, _tenant: Tenant, _token: AccessToken, _application: Any, _may: Sequence[Capability]
    ) -> PermissionReport:
        return PermissionReport("Its words may be changed.")


class ToyProvider:
    use_reports = None
    manifest = Manifest("toy", "Toy Box", "Toy Box", "Toy Land", "Toys Inc.", "key", type_prefix="Toy")
    browser = None
    identity = None

    def __init__(self, toys: Toys) -> None:
        self.methods = (ToyMethod(toys),)

    def clock_ahead(self) -> None:
        return None

    def clock_confirmed_at(self) -> None:
        return None

    def applications(self, _tenant: Tenant, _token: AccessToken) -> Sequence[ApplicationSummary]:
        return []

    def find_applications(
        self, _tenant: Tenant, _token: AccessToken, _text: str, _cursor: str | None
    ) -> ApplicationPage:
        return ApplicationPage(())

    def owns(self, _tenant: Tenant, _token: AccessToken, _application: RemoteApplication) -> bool:
        return False

    def principal(self, _tenant: Tenant, _token: AccessToken, _application: RemoteApplication) -> Principal | None:
        return Principal.ENABLED

    def principal_fix(self, _tenant: Tenant, _principal: Principal, _application: RemoteApplication) -> str:
        return "Play again."

    def capabilities(self, _token: AccessToken, _app_id: str) -> Sequence[Capability]:
        return [Capability("play", True, "May play.")]
