"""The words of roles: each permission that anything asks for can be given by a role, alone, and says what it is about."""

from keyturn.authz.domain import PROJECT_ACTIONS, PROJECT_ROLES, Action
from keyturn.authz.permissions import Grants, Scope, of_role
from keyturn.authz.vocabulary import CONDITIONS, SUBJECTS, rules_of, words_of

OF_EVERYBODY = {Action.READ_PROJECT}
"""What any role permits."""


def test_whatever_is_asked_in_a_project_can_be_permitted_by_a_role() -> None:
    given = {action for words in SUBJECTS.values() for actions in words.values() for action in actions}
    assert given | OF_EVERYBODY == PROJECT_ACTIONS


def test_every_word_permits_just_what_it_says_in_every_kind_of_place() -> None:
    here, elsewhere = Scope("o", "p", "dev", "/app", "c"), Scope("o", "p", "prod", "/app", "d")
    for subject, words in SUBJECTS.items():
        conditions = {
            name: {"$eq": {"environment": "dev", "secretPath": "/app", "connectionId": "c"}[name]}
            for name in CONDITIONS.get(subject, ())
        }
        for word, actions in words.items():
            permission = {"subject": subject, "action": word, "conditions": conditions}
            grants = Grants((rules_of([permission]),))
            for action in Action:
                expected = action in actions | OF_EVERYBODY
                assert grants.allow(action, here) == expected, (subject, word, action)
                unlimited = not conditions or action in OF_EVERYBODY
                assert grants.allow(action, elsewhere) == (expected and unlimited), (subject, word, action)
                assert grants.allow(action, Scope("o", "p")) == (expected and unlimited), (subject, word, action)


def test_the_words_of_a_builtin_role_permit_what_it_does() -> None:
    for role, actions in PROJECT_ROLES.items():
        written = Grants((rules_of(words_of(actions)),))
        assert written.lacking(of_role(actions)) is None, role
        assert Grants((of_role(actions | OF_EVERYBODY),)).lacking(rules_of(words_of(actions))) is None, role
