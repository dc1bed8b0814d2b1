"""The types of one provider's requests, made from the fields of its sign-in methods."""

import functools
import json
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from keyturn.api.connections.schemas import (
    AppConnectionDraft,
    CredentialsModel,
    RotationChange,
    RotationSettings,
    UpdateAppConnection,
)
from keyturn.api.connections.sign_in_schemas import StartSignIn
from keyturn.connections.switching import method_fixed
from keyturn.errors import Invalid
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import Field
from keyturn.ports.sign_in import AppProvider, Credentials, SignInMethod
from keyturn.web.schema.validate import Fault, Normalized, Sentence, Tests, parse

Methods = Mapping[str, SignInMethod]


@dataclass(frozen=True)
class AppTypes:
    """What requests about connections of one app look like: ``drafts`` by method.

    ``settings`` are a first schedule; ``update`` is a change of a connection; ``sign_in`` begins one
    by browser, where there is a method for it.
    """

    methods: Methods
    credentials: Mapping[str, type[CredentialsModel]]
    settings: type[RotationSettings]
    drafts: Mapping[str, type[AppConnectionDraft]]
    update: type[UpdateAppConnection]
    sign_in: type[StartSignIn] | None

    @property
    def draft(self) -> Any:
        """All drafts as one type, told apart by their method."""
        return functools.reduce(operator.or_, self.drafts.values())

    def read(self, raw: Mapping[str, object], method: str) -> Credentials:
        """Read credentials in the shape of a method. Raises Invalid, and Refused for those of another one."""
        other = method_like(self.methods, raw, method)
        if other not in {None, method}:
            raise method_fixed(self.methods[method], self.methods[other or method])
        return parse(self.credentials[method], raw, path=("credentials",)).submission()


def types_of(provider: AppProvider) -> AppTypes:
    """Make the types of a provider's requests."""
    prefix, methods = provider.manifest.type_prefix, {method.key: method for method in provider.methods}
    credentials = {key: credentials_type(method) for key, method in methods.items()}
    keys = [_member(field) for method in provider.methods for field in method.rotation_fields]
    settings = _struct(f"{prefix}RotationSettings", RotationSettings, keys)
    change = _struct(f"{prefix}RotationChange", RotationChange, keys)
    drafts = {
        key: _struct(
            f"CreateBy{method.schema_name}",
            AppConnectionDraft,
            [("credentials", credentials[key]), ("rotation", settings | None, None)],
            tag=key,
        )
        for key, method in methods.items()
    }

    def check_beside(self: Any) -> Iterator[Fault]:
        """Tell what is wrong with the credentials, whose method shows only by their keys; the connection is not known yet."""
        raw = json.loads(self.credentials.reveal()) if self.credentials else {}
        shape = credentials.get(method_like(methods, raw) or "")
        if shape is None:
            return
        try:
            parse(shape, raw)
        except Invalid as error:
            for issue in error.issues:
                yield Fault("", ("credentials",), issue)

    update = _struct(
        f"Update{prefix or 'App'}Connection",
        UpdateAppConnection,
        [("rotation", change | None, None)],
        namespace={"check_beside": check_beside},
    )
    return AppTypes(methods, credentials, settings, drafts, update, _sign_in(provider))


def _sign_in(provider: AppProvider) -> type[StartSignIn] | None:
    if provider.browser is None:
        return None
    tenant = next(field for field in provider.browser.fields if field.name == "tenantId")
    return _struct("StartSignIn", StartSignIn, [_member(replace(tenant, required=False))])


def credentials_type(method: SignInMethod) -> type[CredentialsModel]:
    """Make the type of the credentials of a method."""
    names = {field.name: attribute(field) for field in method.fields}

    def check(self: Any) -> Iterator[Fault]:
        for fault in method.faults(lambda name: getattr(self, names[name])):
            yield Fault(fault.message, path=(fault.field,))

    namespace = {"__doc__": method.schema_help, "check": check, "method": method}
    fields = [_member(field) for field in method.fields]
    return _struct(f"{method.schema_name}Credentials", CredentialsModel, fields, namespace=namespace)


def method_like(methods: Methods, raw: Mapping[str, object], wanted: str | None = None) -> str | None:
    """Return the method that credentials are of, by their keys: the wanted one if it may be, None when it cannot be told."""
    keys = [key for key, method in methods.items() if not _own_keys(method, methods).isdisjoint(raw)]
    return wanted if wanted in keys else next(iter(keys), None)


def _own_keys(method: SignInMethod, methods: Methods) -> set[str]:
    """Return the keys without which no credentials of this method are, and which no other method has."""
    others = {field.name for other in methods.values() if other is not method for field in other.fields}
    return {field.name for field in method.fields if field.required} - others


# --- making them ------------------------------------------------------------------------------------------------------


def _struct(
    name: str,
    base: type[Any],
    fields: Sequence[Any],
    *,
    namespace: Mapping[str, Any] | None = None,
    tag: str | None = None,
) -> type[Any]:
    return msgspec.defstruct(
        name,
        fields,
        bases=(base,),
        namespace=({} if tag else {"__doc__": base.__doc__}) | dict(namespace or {}),
        tag_field="method" if tag else None,
        tag=tag,
        kw_only=True,
    )


def attribute(field: Field) -> str:
    """Return the name of the field in Python: JSON's in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", field.name).lower()


def _member(field: Field) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind: Any = Plaintext if field.secret or field.guarded else str
    notes: list[object] = [Normalized(field.plain)]
    if field.fault:
        notes.append(Tests(field.fault, field.validation))
    limits: dict[str, Any] = {
        "min_length": field.min_length,
        "max_length": field.max_length,
        "pattern": field.pattern,
        "description": field.description,
        "extra_json_schema": dict(field.shape) or None,
    }
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    if limits:
        notes.append(Meta(**limits))
    if field.sentence:
        notes.append(Sentence(field.sentence))
    annotation: Any = Annotated[(kind, *notes)]
    if not field.required:
        annotation = annotation | None
    if field.examples:  # outside what may be absent: examples of the reference are made of what stands there
        annotation = Annotated[annotation, Meta(examples=list(field.examples))]
    if field.empty_if_absent:
        return attribute(field), annotation, Plaintext("")
    return (attribute(field), annotation) if field.required else (attribute(field), annotation, None)
