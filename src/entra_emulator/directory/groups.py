"""Groups, and who came and went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from entra_emulator.directory.grants import Grant


@dataclass(slots=True)
class Group:
    """A group. Members and owners are object ids."""

    object_id: str
    display_name: str
    mail_nickname: str
    created_at: float
    mail_enabled: bool = False
    security_enabled: bool = True
    members: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    deleted_at: float | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    """Directory roles, by name, which its members have through it."""
    changed_at: float = float("-inf")
    joined: dict[str, float] = field(default_factory=dict)
    """When members joined who were not there from the beginning."""
    left: dict[str, float] = field(default_factory=dict)
    """When those left who are no members any more."""

    @property
    def unified(self) -> bool:
        """Whether it is a Microsoft 365 group, which alone can be restored after its deletion."""
        return "Unified" in (self.properties.get("groupTypes") or ())

    def set_members(self, object_ids: Iterable[str], now: float) -> None:
        """These are the members from now on."""
        before, self.members = dict.fromkeys(self.members), list(object_ids)
        after = dict.fromkeys(self.members)
        for object_id in (each for each in before if each not in after):
            self.joined.pop(object_id, None)
            self.left[object_id] = now
        for object_id in (each for each in after if each not in before):
            self.left.pop(object_id, None)
            self.joined[object_id] = now
