"""Permissions of custom roles as clients write them: subjects, actions and conditions by their names on the wire. Pure.

The names are those of what existing clients send. Sources: the tables of
https://infisical.com/docs/internals/permissions/project-permissions (subjects, actions, which take conditions),
https://infisical.com/docs/internals/permissions/overview (operators, later permissions are exceptions from earlier ones), and
https://infisical.com/docs/api-reference/endpoints/project-roles/create (the JSON). ``rotate-credentials`` is our own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keyturn.authz.domain import Action
from keyturn.authz.globs import LONGEST, plain_path, require_glob
from keyturn.authz.permissions import Condition, Permission, Rules
from keyturn.errors import Refused

MOST_PERMISSIONS = 100
"""Of one role."""
MOST_ALTERNATIVES = 100
"""In one condition."""

_NONE: frozenset[Action] = frozenset()
_SEE = frozenset({Action.DESCRIBE_SECRETS, Action.READ_FOLDERS})


def _four(read: frozenset[Action], create: Action, edit: Action, delete: Action) -> dict[str, frozenset[Action]]:
    one = {"create": frozenset({create}), "edit": frozenset({edit}), "delete": frozenset({delete})}
    return {"read": read, **one}


def _members(read: Action, create: Action, edit: Action, delete: Action) -> dict[str, frozenset[Action]]:
    """All that can be edited of a member is their roles."""
    return _four(frozenset({read}), create, edit, delete) | {"grant-privileges": frozenset({edit})}


_CONNECTIONS = {
    "read": Action.READ_CONNECTIONS,
    "create": Action.CREATE_CONNECTIONS,
    "edit": Action.EDIT_CONNECTIONS,
    "delete": Action.DELETE_CONNECTIONS,
    "connect": Action.CONNECT_CONNECTIONS,
}

SUBJECTS: Mapping[str, Mapping[str, frozenset[Action]]] = {
    "secrets": {
        **_four(_SEE | {Action.READ_SECRET_VALUES}, Action.CREATE_SECRETS, Action.EDIT_SECRETS, Action.DELETE_SECRETS),
        "describeSecret": _SEE,
        "readValue": frozenset({Action.READ_SECRET_VALUES}),
    },
    "secret-folders": _four(
        frozenset({Action.READ_FOLDERS}), Action.CREATE_FOLDERS, Action.EDIT_FOLDERS, Action.DELETE_FOLDERS
    ),
    "secret-imports": _four(
        frozenset({Action.READ_IMPORTS}), Action.CREATE_IMPORTS, Action.EDIT_IMPORTS, Action.DELETE_IMPORTS
    ),
    "secret-rotation": {
        **_four(
            frozenset({Action.READ_ROTATIONS}), Action.CREATE_ROTATIONS, Action.EDIT_ROTATIONS, Action.DELETE_ROTATIONS
        ),
        "rotate-secrets": frozenset({Action.ROTATE_SECRETS}),
        "read-generated-credentials": frozenset({Action.READ_GENERATED_CREDENTIALS}),
    },
    "app-connections": {
        **{word: frozenset({action}) for word, action in _CONNECTIONS.items()},
        **{action.value: frozenset({action}) for action in _CONNECTIONS.values()},
        "rotate-credentials": frozenset({Action.ROTATE_CREDENTIALS}),
    },
    "tags": _four(frozenset({Action.READ_TAGS}), Action.CREATE_TAGS, Action.EDIT_TAGS, Action.DELETE_TAGS),
    "member": _members(Action.READ_MEMBERS, Action.ADD_MEMBERS, Action.EDIT_MEMBERS, Action.REMOVE_MEMBERS),
    "identity": _members(
        Action.READ_IDENTITY_MEMBERS,
        Action.ADD_IDENTITY_MEMBERS,
        Action.EDIT_IDENTITY_MEMBERS,
        Action.REMOVE_IDENTITY_MEMBERS,
    ),
    "role": _four(frozenset({Action.READ_ROLES}), Action.CREATE_ROLES, Action.EDIT_ROLES, Action.DELETE_ROLES),
    "environments": _four(_NONE, Action.CREATE_ENVIRONMENTS, Action.EDIT_ENVIRONMENTS, Action.DELETE_ENVIRONMENTS),
    "settings": {"read": _NONE, "create": _NONE, "edit": frozenset({Action.EDIT_PROJECT}), "delete": _NONE},
    "workspace": {"edit": frozenset({Action.EDIT_PROJECT}), "delete": frozenset({Action.DELETE_PROJECT})},
    "audit-logs": {"read": frozenset({Action.READ_AUDIT_LOGS}), "create": _NONE, "edit": _NONE, "delete": _NONE},
}
"""What a subject and an action permit. Nothing where whoever has any role in a project may do it, or nobody can."""

_OTHER_WORDS = frozenset({*_CONNECTIONS, "grant-privileges"} - {"read", "create", "edit", "delete"})
"""Second words for what has one already."""

WITHOUT_EFFECT = frozenset(
    {
        *("commits", "dynamic-secrets", "groups", "integrations", "ip-allowlist", "kms", "secret-approval"),
        *("secret-events", "secret-rollback", "secret-syncs", "service-tokens", "webhooks"),
    }
)
"""Subjects that configurations of clients name, and that nothing here asks for: they are kept, and permit nothing."""

_PLACES = {"environment": "environment", "secretPath": "path"}
CONDITIONS: Mapping[str, Mapping[str, str]] = {
    "secrets": _PLACES,
    "secret-folders": _PLACES,
    "secret-imports": _PLACES,
    "secret-rotation": {**_PLACES, "connectionId": "connection"},
    "app-connections": {"connectionId": "connection"},
}
"""Which conditions a subject takes, each with the field of a permission."""
OPERATORS = ("$eq", "$ne", "$in", "$glob")


def rules_of(permissions: Sequence[Mapping[str, Any]]) -> Rules:
    """Return what a custom role permits: the project itself to be seen, and what these say.

    Each has ``subject``, ``action`` (one or several), and maybe ``inverted`` and ``conditions``. Raises Refused for what is none.
    """
    if len(permissions) > MOST_PERMISSIONS:
        raise _refused(f"A role has up to {MOST_PERMISSIONS} permissions", "Make two roles: a member may have both")
    see_project = Permission(frozenset({Action.READ_PROJECT}))
    return (see_project, *(_permission(number, each) for number, each in enumerate(permissions, start=1)))


def words_of(actions: frozenset[Action]) -> tuple[Mapping[str, Any], ...]:
    """Return permissions that say what a role with these actions everywhere permits."""
    said = {
        subject: [word for word, meant in words.items() if meant and meant <= actions and word not in _OTHER_WORDS]
        for subject, words in SUBJECTS.items()
    }
    return tuple({"subject": subject, "action": words, "inverted": False} for subject, words in said.items() if words)


def _permission(number: int, given: Mapping[str, Any]) -> Permission:
    subject, where = str(given.get("subject")), f"Permission {number}"
    if subject in WITHOUT_EFFECT:
        return Permission(_NONE)
    words = SUBJECTS.get(subject)
    if words is None:
        raise _refused(f"{where} is about '{subject}', which is no subject", f"Choose one of {_list(SUBJECTS)}")
    actions: frozenset[Action] = frozenset()
    for word in actions_of(given):
        if word not in words:
            raise _refused(f"{where}: there is no action '{word}' on {subject}", f"Choose from {_list(words)}")
        actions |= words[word]
    if not actions_of(given):
        raise _refused(f"{where} names no action", f"Choose from {_list(words)}")
    return Permission(actions, bool(given.get("inverted")), **_conditions(where, subject, given.get("conditions")))


def actions_of(given: Mapping[str, Any]) -> Sequence[str]:
    """Return the actions of a permission, of which clients write one alone without a list."""
    action = given.get("action")
    return [action] if isinstance(action, str) else [each for each in action or () if isinstance(each, str)]


def _conditions(where: str, subject: str, given: Any) -> dict[str, Condition]:
    fields = CONDITIONS.get(subject, {})
    conditions = {}
    for name, wanted in (given or {}).items():
        if wanted is None or wanted == "":
            continue
        if name not in fields:
            # What is not understood would have to be ignored, and the permission would reach further than it says.
            supported = f"Choose from {_list(fields)}" if fields else "Leave conditions out"
            raise _refused(f"{where}: {subject} takes no condition on '{name}'", supported)
        conditions[fields[name]] = _condition(f"{where}, {name}", wanted, path=name == "secretPath")
    return conditions


def _condition(where: str, wanted: Any, *, path: bool) -> Condition:
    if isinstance(wanted, str):
        wanted = {"$eq": wanted}
    if not isinstance(wanted, dict) or not wanted:
        raise _refused(f"{where} is no condition", 'Write it as {"$eq": "..."}')
    among: frozenset[str] | None = None
    besides, globs = frozenset[str](), tuple[str, ...]()
    for operator, value in wanted.items():
        texts = _texts(where, operator, value, path=path and operator != "$glob")
        if operator in {"$eq", "$in"}:
            among = texts if among is None else among & texts
        elif operator == "$ne":
            besides |= texts
        else:
            globs += tuple(sorted(texts))
            for glob in texts:
                require_glob(glob)
    return Condition(among, besides, globs)


def _texts(where: str, operator: str, value: Any, *, path: bool) -> frozenset[str]:
    if operator not in OPERATORS:
        raise _refused(f"{where}: there is no operator '{operator}'", f"Choose from {_list(OPERATORS)}")
    values = value if operator == "$in" and isinstance(value, list) else [value]
    if len(values) > MOST_ALTERNATIVES or not values:
        raise _refused(f"{where}: $in takes 1 to {MOST_ALTERNATIVES} values", "Use a pattern with $glob instead")
    if not all(isinstance(each, str) and 0 < len(each) <= LONGEST for each in values):
        kind = f"{operator} takes {'a list of texts' if operator == '$in' else 'a text'} of 1 to {LONGEST} characters"
        raise _refused(f"{where}: {kind}", "Correct the value")
    return frozenset(plain_path(each) if path else each for each in values)


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


def _refused(message: str, fix: str) -> Refused:
    return Refused(f"{message}.", code="roles.permission", field="permissions", fix=f"{fix}.")
