"""The certificates of an application or service principal, sent as a whole collection or one by one."""

from __future__ import annotations

import base64
from typing import Any

from entra_emulator.directory.credentials import make_key, remove_credential
from entra_emulator.directory.directory import Application, Holder, KeyCredential, as_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph.bodies import only_members, text_or_none, time_or, wrong_type
from entra_emulator.graph.errors import GraphError, bad_request
from entra_emulator.graph.restrictions import check_certificate, check_size

_TYPES, _USAGES = ("AsymmetricX509Cert", None), ("Verify", None)
_MEMBERS = frozenset({
    "customKeyIdentifier", "displayName", "endDateTime", "hasExtendedValue", "key", "keyId", "startDateTime", "type", "usage",
})  # fmt: skip
"""Source: https://learn.microsoft.com/graph/api/resources/keycredential; `hasExtendedValue` is what old modules send."""


def read_keys(call: Call, holder: Holder, value: Any) -> list[KeyCredential]:
    """The whole new collection: entries of the old one are named by their keyId and may be sent without bytes.

    Source: azure-cli 2.91.0 (role/custom.py) and terraform-provider-azuread f0169e0 send back what they read, `key` null.

    Raises GraphError 400 for what is not a certificate, or where a limit or policy forbids it.
    """
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise wrong_type("keyCredentials", "Collection(microsoft.graph.keyCredential)")
    present = {item.key_id: item for item in holder.keys_held()}
    keys: list[KeyCredential] = []
    for item in value:
        old = present.get(as_guid(item.get("keyId")) or "")
        keys.append(old if old is not None else _new_key(call, holder, item))
    if len({item.key_id for item in keys}) < len(keys):
        raise bad_request("Key credential is invalid: two entries have the same 'keyId'.")
    if isinstance(holder, Application) and len(keys) > len(present):
        check_size(call.settings, holder, extra=len(keys) - len(present))
    return keys


def replace_keys(call: Call, holder: Holder, keys: list[KeyCredential]) -> None:
    """Makes these the certificates of the object; replicas forget and learn at their own pace."""
    key_ids = {item.key_id for item in keys}
    for item in holder.keys_held():
        if item.key_id not in key_ids:
            remove_credential(item, call.now, call.settings, call.world.rng)
    present = {item.key_id for item in holder.keys_held()}
    holder.keys += [item for item in keys if item.key_id not in present]
    holder.forget_gone(call.now)


def read_key(call: Call, item: dict[str, Any]) -> KeyCredential:
    """One certificate; its dates default to its own. Raises GraphError 400.

    The bytes are base64 of DER, in which white space does not count: az sends the lines of a PEM file. A keyId and a
    customKeyIdentifier that the client chose are kept; without one the directory makes the keyId, and the thumbprint is the
    identifier (https://learn.microsoft.com/graph/api/resources/keycredential).
    """
    only_members(item, _MEMBERS, "microsoft.graph.keyCredential")
    if item.get("type") not in _TYPES or item.get("usage") not in _USAGES:
        raise bad_request(
            "Key credential is invalid: this directory holds keys of type 'AsymmetricX509Cert' and usage 'Verify'."
        )
    text = text_or_none(item, "key", 100_000) or ""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
        new = make_key(data, text_or_none(item, "displayName"), None, None, call.now, call.settings, call.world.rng)
    except ValueError as error:
        raise bad_request("Key credential is invalid: its 'key' is not a certificate.") from error
    new.start = time_or(item, "startDateTime", new.start)
    new.end = time_or(item, "endDateTime", new.end)
    if new.end <= new.start:
        raise bad_request("Key credential end date is invalid.")
    new.key_id = _given_id(item) or new.key_id
    new.custom_key_identifier = text_or_none(item, "customKeyIdentifier", 1000)
    return new


def _given_id(item: dict[str, Any]) -> str | None:
    text = text_or_none(item, "keyId")
    if text is None:
        return None
    guid = as_guid(text)
    if guid is None:
        raise wrong_type("keyId", "Edm.Guid")
    return guid


def _new_key(call: Call, holder: Holder, item: dict[str, Any]) -> KeyCredential:
    new = read_key(call, item)
    check_certificate(call, holder, new.start, new.end)
    return new


def no_passwords() -> GraphError:
    """Secrets cannot be chosen: the directory makes them."""
    return bad_request("New password credentials must be generated with service actions.")
