"""What roles permit, and where: permissions with conditions, and the one decision on them. Pure."""

from collections.abc import Callable, Sequence
from functools import cached_property

from keyturn.authz.domain import Action
from keyturn.authz.globs import apart, matches, narrower, plain_path
from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """Where something lives: in a project, or (``project_id`` None) in the organization itself.

    Secrets and what is about them are in a folder of an environment, which its slug names; what concerns one connection names it.
    A permission with a condition says nothing about what names no such thing.
    """

    org_id: str
    project_id: str | None = None
    environment: str | None = None
    path: str | None = None
    connection_id: str | None = None


@dataclass(frozen=True)
class Condition:
    """What one attribute of a scope has to be: all that is given has to hold."""

    among: frozenset[str] | None = None
    """One of these; None: anything."""
    besides: frozenset[str] = frozenset()
    """None of these."""
    globs: tuple[str, ...] = ()
    """Each of these patterns fits."""

    def fits(self, value: str) -> bool:
        return (
            (self.among is None or value in self.among)
            and value not in self.besides
            and all(matches(glob, value) for glob in self.globs)
        )

    @cached_property
    def values(self) -> frozenset[str]:
        """All that fits, where that can be listed."""
        return frozenset(value for value in self.among or () if self.fits(value))

    def within(self, wide: "Condition") -> bool:
        """Say whether whatever fits this fits ``wide``, too; False also where that cannot be seen."""
        if self.among is not None:
            return self.values <= wide.values if wide.among is not None else all(map(wide.fits, self.values))
        return (
            wide.among is None
            and all(value in self.besides or not all(matches(g, value) for g in self.globs) for value in wide.besides)
            and all(any(narrower(own, glob) for own in self.globs) for glob in wide.globs)
        )

    def apart(self, other: "Condition") -> bool:
        """Say whether nothing fits both; False also where that cannot be seen."""
        if self.among is not None:
            return (
                self.values.isdisjoint(other.values)
                if other.among is not None
                else not any(map(other.fits, self.values))
            )
        if other.among is not None:
            return other.apart(self)
        return any(apart(own, glob) for own in self.globs for glob in other.globs)


ANYTHING = Condition()


@dataclass(frozen=True)
class Permission:
    """That these actions are permitted, or with ``inverted`` are not, where the conditions hold."""

    actions: frozenset[Action]
    inverted: bool = False
    environment: Condition = ANYTHING
    path: Condition = ANYTHING
    connection: Condition = ANYTHING

    @property
    def conditions(self) -> tuple[Condition, Condition, Condition]:
        return (self.environment, self.path, self.connection)

    @property
    def everywhere(self) -> bool:
        return all(condition is ANYTHING for condition in self.conditions)

    def fits(self, scope: Scope) -> bool:
        # Asked for each permission and each folder of a list, so it is written out.
        return (
            (self.environment is ANYTHING or _fits(self.environment, scope.environment))
            and (self.path is ANYTHING or _fits(self.path, scope.path and plain_path(scope.path)))
            and (self.connection is ANYTHING or _fits(self.connection, scope.connection_id))
        )

    def within(self, wide: "Permission") -> bool:
        """Say whether all places of this one are places of ``wide``; False also where that cannot be seen."""
        return all(own.within(other) for own, other in zip(self.conditions, wide.conditions, strict=True))

    def apart(self, other: "Permission") -> bool:
        """Say whether the two have no place in common; False also where that cannot be seen."""
        return any(own.apart(others) for own, others in zip(self.conditions, other.conditions, strict=True))


def _fits(condition: Condition, value: str | None) -> bool:
    return value is not None and condition.fits(value)


Rules = Sequence[Permission]
"""What one role permits. Of those that fit a place the last one decides, as later ones are exceptions from earlier ones."""


@dataclass(frozen=True)
class Grants:
    """What an actor may do in one project, or in the organization: what any of the roles permits.

    Loaded once for a request, then asked as often as needed: whether one thing may be done, or which of a list may be shown.
    """

    roles: tuple[Rules, ...] = ()

    def allow(self, action: Action, scope: Scope) -> bool:
        """Say whether this may be done there."""
        return any(_decided(rules, action, scope) for rules in self.roles)

    def everywhere(self, action: Action) -> bool:
        """Say whether this may be done wherever in the project: then nothing has to be asked for each place."""
        return any(_unlimited(rules, action) for rules in self.roles)

    def anywhere(self, action: Action, environment: str | None = None) -> bool:
        """Say whether there may be a place, in this environment or in any, where this may be done."""
        return any(_somewhere(rules, action, environment) for rules in self.roles)

    def same_in(self, environment: str, other: str) -> bool:
        """Say whether these permit the same in both environments, as they name neither or both of them."""
        return all(
            rule.environment.fits(environment) == rule.environment.fits(other) for rules in self.roles for rule in rules
        )

    def lacking(self, rules: Rules) -> Action | None:
        """Return an action that the role permits somewhere where these do not; None when they cover it.

        Nobody gives others what they do not have. Where it cannot be seen whether they do, the action is returned as well.
        """
        inverted = [(number, rule) for number, rule in enumerate(rules) if rule.inverted]
        last: dict[tuple[int, Action], int] = {}

        def excepted(own: Permission, action: Action) -> int:
            """Return the number of the last exception of the role that has all places of one of the own; -1: none has."""
            # Once for each: both roles may have a hundred.
            key = (id(own), action)
            if key not in last:
                numbers = (number for number, rule in reversed(inverted) if action in rule.actions and own.within(rule))
                last[key] = next(numbers, -1)
            return last[key]

        for number, rule in enumerate(rules):
            for action in sorted(rule.actions) if not rule.inverted else ():
                if not any(_covers(own, action, rule, number, excepted) for own in self.roles):
                    return action
        return None


def of_role(actions: frozenset[Action]) -> Rules:
    """Return the rules of a role that permits these actions wherever."""
    return (Permission(actions),)


def _about(rules: Rules, action: Action) -> list[Permission]:
    """Return the permissions that say something about the action, the one that counts most first."""
    return [rule for rule in reversed(rules) if action in rule.actions]


def _decided(rules: Rules, action: Action, scope: Scope) -> bool:
    for rule in _about(rules, action):
        if rule.fits(scope):
            return not rule.inverted
    return False


def _unlimited(rules: Rules, action: Action) -> bool:
    for rule in _about(rules, action):
        if rule.inverted or rule.everywhere:
            return not rule.inverted
    return False


def _somewhere(rules: Rules, action: Action, environment: str | None) -> bool:
    for rule in _about(rules, action):
        if rule.inverted:
            if rule.everywhere:
                return False
        elif environment is None or rule.environment.fits(environment):
            return True
    return False


def _covers(
    own: Rules, action: Action, wanted: Permission, number: int, excepted: Callable[[Permission, Action], int]
) -> bool:
    """Say whether one role permits the action wherever ``wanted`` does, but for the exceptions after its number."""
    for rule in _about(own, action):
        if not rule.inverted:
            if wanted.within(rule):
                return True
        elif excepted(rule, action) < number and not rule.apart(wanted):
            return False
    return False
