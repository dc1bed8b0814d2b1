"""The operations on keys: make, show, list, change, delete, recover, purge, wrap and unwrap.

Source: https://learn.microsoft.com/rest/api/keyvault/keys/ (api-version 2025-07-01) for paths, members and permissions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from entra_emulator.directory.keys import b64url, un_b64
from entra_emulator.directory.vaults import KeyVersion, Vault, VaultKey
from entra_emulator.directory.world import Call
from entra_emulator.vault.errors import VaultError, bad, disabled, not_here, unknown_key

_NAME = re.compile(r"[0-9A-Za-z-]{1,127}\Z")
_OPERATIONS = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
_PADDINGS: dict[str, hashes.HashAlgorithm] = {"RSA-OAEP": hashes.SHA1(), "RSA-OAEP-256": hashes.SHA256()}  # noqa: S303
_SIZES = (2048, 3072, 4096)
_RETENTION = 90 * 86_400


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request is about."""

    call: Call
    vault: Vault
    key: str
    version: str
    body: dict[str, Any]


Work = Callable[[Asked], Any]


def create(asked: Asked) -> Any:
    if not _NAME.match(asked.key):
        raise bad(f"The request URI contains an invalid name: {asked.key[:200]}")
    if asked.key in asked.vault.deleted:
        text = (
            f"Key {asked.key} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, "
            "the key can only be recovered or purged."
        )
        raise VaultError(409, "Conflict", text, "ObjectIsDeletedButRecoverable")
    _only(asked.body, {"kty", "key_size", "key_ops", "attributes", "tags"})
    if asked.body.get("kty") not in ("RSA", "RSA-HSM"):
        raise not_here("keys other than RSA")
    size = asked.body.get("key_size", 2048)
    if size not in _SIZES:
        raise bad("The key size is invalid: RSA keys have 2048, 3072 or 4096 bits.")
    operations = _operations(asked.body)
    key = asked.vault.keys.setdefault(asked.key, VaultKey(asked.key, operations))
    key.operations, key.tags = operations, _tags(asked.body)
    version = _new_version(asked.call, size)
    version.enabled = _enabled(asked.body, default=True)
    key.versions.append(version)
    return _bundle(asked, key, version)


def _operations(body: dict[str, Any]) -> list[str]:
    operations = body.get("key_ops")
    if operations is None:
        return list(_OPERATIONS)
    if not isinstance(operations, list) or not all(item in _OPERATIONS for item in operations):
        raise bad("key_ops holds something that is no operation of an RSA key.")
    return operations


def rotate(asked: Asked) -> Any:
    key, version = _found(asked)
    key.versions.append(_new_version(asked.call, _private(version).key_size))
    return _bundle(asked, key, key.versions[-1])


def show(asked: Asked) -> Any:
    return _bundle(asked, *_found(asked))


def listed(asked: Asked) -> Any:
    return {"value": [_item(asked, key, key.versions[-1]) for key in asked.vault.keys.values()], "nextLink": None}


def versions(asked: Asked) -> Any:
    key, _ = _found(asked)
    return {"value": [_item(asked, key, one, with_version=True) for one in key.versions], "nextLink": None}


def change(asked: Asked) -> Any:
    key, version = _found(asked)
    _only(asked.body, {"attributes", "key_ops", "tags"})
    version.enabled = _enabled(asked.body, default=version.enabled)
    version.updated_at = asked.call.now
    if "tags" in asked.body:
        key.tags = _tags(asked.body)
    if "key_ops" in asked.body:
        key.operations = _operations(asked.body)
    return _bundle(asked, key, version)


def delete(asked: Asked) -> Any:
    key, version = _found(asked)
    del asked.vault.keys[key.name]
    asked.vault.deleted[key.name] = key
    key.deleted_at = asked.call.now
    return _deleted(asked, key, version)


def show_deleted(asked: Asked) -> Any:
    key = _gone(asked)
    return _deleted(asked, key, key.versions[-1])


def recover(asked: Asked) -> Any:
    key = _gone(asked)
    del asked.vault.deleted[key.name]
    key.deleted_at = 0.0
    asked.vault.keys[key.name] = key
    return _bundle(asked, key, key.versions[-1])


def purge(asked: Asked) -> Any:
    _gone(asked)
    if asked.vault.purge_protected:
        text = (
            'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will '
            f"automatically purge it after the retention period has passed.\r\nVault: {asked.vault.name};location=westeurope"
        )
        raise VaultError(403, "Forbidden", text, "ForbiddenByPolicy")
    del asked.vault.deleted[asked.key]
    return None


def wrap(asked: Asked) -> Any:
    """A disabled key still wraps: only what needs its private part is refused."""
    key, version = _found(asked)
    text, algorithm = _material(asked, key, "wrapKey")
    try:
        wrapped = _private(version).public_key().encrypt(text, algorithm)
    except ValueError as error:
        raise bad("The value to wrap is too long for this key.") from error
    return {"kid": _kid(asked, key, version), "value": b64url(wrapped)}


def unwrap(asked: Asked) -> Any:
    key, version = _found(asked)
    if not version.enabled:
        raise disabled("unwrapKey")
    wrapped, algorithm = _material(asked, key, "unwrapKey")
    try:
        text = _private(version).decrypt(wrapped, algorithm)
    except ValueError as error:
        raise bad("Decryption failed.") from error
    return {"kid": _kid(asked, key, version), "value": b64url(text)}


def _material(asked: Asked, key: VaultKey, operation: str) -> tuple[bytes, padding.OAEP]:
    _only(asked.body, {"alg", "value"})
    if operation not in key.operations:
        text = f"Operation {operation} is not permitted on this key."
        raise VaultError(403, "Forbidden", text, "KeyOperationForbidden")
    digest = _PADDINGS.get(str(asked.body.get("alg")))
    if digest is None:
        raise bad(f"Property 'alg' has an unsupported value; this emulator knows {', '.join(_PADDINGS)}.")
    value = asked.body.get("value")
    try:
        content = un_b64(value) if isinstance(value, str) else b""
    except ValueError:
        content = b""
    if not content:
        raise bad("Property 'value' is not base64url.")
    return content, padding.OAEP(padding.MGF1(digest), digest, None)


def _found(asked: Asked) -> tuple[VaultKey, KeyVersion]:
    key = asked.vault.keys.get(asked.key)
    if key is None:
        raise unknown_key(asked.key)
    if not asked.version:
        return key, key.versions[-1]
    version = next((one for one in key.versions if one.id == asked.version), None)
    if version is None:
        raise unknown_key(f"{asked.key}/{asked.version}")
    return key, version


def _gone(asked: Asked) -> VaultKey:
    key = asked.vault.deleted.get(asked.key)
    if key is None:
        raise unknown_key(asked.key)
    return key


def _new_version(call: Call, size: int) -> KeyVersion:
    private = rsa.generate_private_key(public_exponent=65537, key_size=size)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return KeyVersion(f"{call.world.rng.getrandbits(128):032x}", pem, call.now, call.now)


def _private(version: KeyVersion) -> rsa.RSAPrivateKey:
    key = load_pem_private_key(version.pem.encode(), None, unsafe_skip_rsa_key_validation=True)  # made here
    if not isinstance(key, rsa.RSAPrivateKey):
        raise bad("not an RSA key")
    return key


def _only(body: dict[str, Any], known: set[str]) -> None:
    """What is not understood is refused: a release policy or an expiry that is silently dropped would be a lie."""
    unknown = sorted(set(body) - known)
    if unknown:
        raise not_here(f"the property '{unknown[0][:100]}'")


def _enabled(body: dict[str, Any], *, default: bool) -> bool:
    attributes = _member(body, "attributes")
    _only(attributes, {"enabled"})
    enabled = attributes.get("enabled", default)
    if not isinstance(enabled, bool):
        raise bad("Property 'enabled' is not true or false.")
    return enabled


def _tags(body: dict[str, Any]) -> dict[str, str]:
    tags = _member(body, "tags")
    if not all(isinstance(value, str) for value in tags.values()):
        raise bad("Property 'tags' is not an object of texts.")
    return tags


def _member(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad(f"Property '{name}' is not an object.")
    return value or {}


def _base(asked: Asked) -> str:
    return asked.call.host.rstrip("/")


def _kid(asked: Asked, key: VaultKey, version: KeyVersion) -> str:
    return f"{_base(asked)}/keys/{key.name}/{version.id}"


def _attributes(asked: Asked, version: KeyVersion) -> dict[str, Any]:
    level = "Recoverable" if asked.vault.purge_protected else "Recoverable+Purgeable"
    return {
        "enabled": version.enabled,
        "created": int(version.created_at),
        "updated": int(version.updated_at),
        "recoveryLevel": level,
        "recoverableDays": 90,
    }


def _bundle(asked: Asked, key: VaultKey, version: KeyVersion) -> dict[str, Any]:
    numbers = _private(version).public_key().public_numbers()
    shown = {
        "kid": _kid(asked, key, version),
        "kty": "RSA",
        "key_ops": key.operations,
        "n": b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        "e": b64url(numbers.e.to_bytes(3, "big")),
    }
    return {"key": shown, "attributes": _attributes(asked, version), "tags": key.tags}


def _item(asked: Asked, key: VaultKey, version: KeyVersion, *, with_version: bool = False) -> dict[str, Any]:
    kid = _kid(asked, key, version)
    shown = kid if with_version else kid.rpartition("/")[0]
    return {"kid": shown, "attributes": _attributes(asked, version), "tags": key.tags}


def _deleted(asked: Asked, key: VaultKey, version: KeyVersion) -> dict[str, Any]:
    return {
        **_bundle(asked, key, version),
        "recoveryId": f"{_base(asked)}/deletedkeys/{key.name}",
        "deletedDate": int(key.deleted_at),
        "scheduledPurgeDate": int(key.deleted_at) + _RETENTION,
    }


ROUTES: dict[tuple[str, str], tuple[str, str, Work]] = {
    ("GET", "keys"): ("listKeys", "list", listed),
    ("POST", "keys/{}/create"): ("createKey", "create", create),
    ("POST", "keys/{}/rotate"): ("rotateKey", "rotate", rotate),
    ("GET", "keys/{}"): ("getKey", "get", show),
    ("GET", "keys/{}/versions"): ("listKeyVersions", "list", versions),
    ("GET", "keys/{}/{}"): ("getKey", "get", show),
    ("PATCH", "keys/{}"): ("updateKey", "update", change),
    ("PATCH", "keys/{}/{}"): ("updateKey", "update", change),
    ("DELETE", "keys/{}"): ("deleteKey", "delete", delete),
    ("POST", "keys/{}/wrapkey"): ("wrapKey", "wrapKey", wrap),
    ("POST", "keys/{}/unwrapkey"): ("unwrapKey", "unwrapKey", unwrap),
    ("POST", "keys/{}/{}/wrapkey"): ("wrapKey", "wrapKey", wrap),
    ("POST", "keys/{}/{}/unwrapkey"): ("unwrapKey", "unwrapKey", unwrap),
    ("GET", "deletedkeys/{}"): ("getDeletedKey", "get", show_deleted),
    ("POST", "deletedkeys/{}/recover"): ("recoverDeletedKey", "recover", recover),
    ("DELETE", "deletedkeys/{}"): ("purgeDeletedKey", "purge", purge),
}
"""Method and path -> name in the ledger and in faults, the permission it asks for, what does it."""
