"""Custom security attributes of users and service principals: read where selected, changed by PATCH.

Source: https://learn.microsoft.com/graph/custom-security-attributes-examples (`customSecurityAttributes` with a set in it, null
removes, the two permissions). Of the types only text and lists of text are known here; sets need not be defined first.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.directory.directory import ServicePrincipal, User
from entra_emulator.directory.world import Call
from entra_emulator.graph.bodies import wrong_type
from entra_emulator.graph.errors import denied
from entra_emulator.graph.odata import selected
from entra_emulator.graph.permissions import permissions_held

NAME = "customSecurityAttributes"
_READ, _WRITE = "CustomSecAttributeAssignment.Read.All", "CustomSecAttributeAssignment.ReadWrite.All"
_TYPE = "#Microsoft.DirectoryServices.CustomSecurityAttributeValue"


def shown(call: Call, holder: ServicePrincipal | User) -> dict[str, Any]:
    """The property where this call selects it; nothing otherwise. Raises GraphError 403 without the permission."""
    if NAME not in selected(call):
        return {}
    if not {_READ, _WRITE} & permissions_held(call):
        raise denied()
    sets: dict[str, dict[str, Any]] = {}
    for name, value in holder.security_attributes.items():
        of, _, attribute = name.partition("_")
        sets.setdefault(of, {"@odata.type": _TYPE})[attribute] = value
    return {NAME: sets or None}


def changed(call: Call, holder: ServicePrincipal | User, value: Any) -> dict[str, str | list[str]]:
    """The attributes after a PATCH. Raises GraphError 403 without the permission, 400 for another type."""
    if _WRITE not in permissions_held(call):
        raise denied()
    if not isinstance(value, dict):
        raise wrong_type(NAME, "microsoft.graph.customSecurityAttributeValue")
    attributes = dict(holder.security_attributes)
    for of, members in value.items():
        if not isinstance(members, dict) or not of.isalnum():
            raise wrong_type(NAME, "microsoft.graph.customSecurityAttributeValue")
        for name, item in members.items():
            if "@odata.type" in name:
                continue
            if item is None:
                attributes.pop(f"{of}_{name}", None)
            elif isinstance(item, str) or (isinstance(item, list) and all(isinstance(text, str) for text in item)):
                attributes[f"{of}_{name}"] = item
            else:
                raise wrong_type(f"{NAME}/{of}/{name}"[:200], "Edm.String")
    return attributes
