"""Who may sign in with a password, where people sign in elsewhere, and which sessions end when such a rule is a newer one."""

from keyturn.db.unit import Tx
from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.people import store
from keyturn.people.domain import BY_PASSWORD, THROUGH_ENTRA, User


@dataclass(frozen=True)
class PasswordPolicy:
    """``administrators_only``: others sign in through Entra ID. ``through_entra``: whether anybody does.

    Administrators need a second factor then. Who has none sets one up right after signing in, so the rule locks nobody out.
    """

    administrators_only: bool = False
    through_entra: bool = True

    def refusal(self, user: User) -> Forbidden | None:
        """Return why somebody whose password is right can not sign in with it all the same; None: they can."""
        if not self.ends(user, BY_PASSWORD):
            return None
        return Forbidden(
            "Only administrators sign in with a password here.",
            code="access.password_sign_in_off",
            fix="Sign in through Entra ID.",
        )

    def ends(self, user: User, method: str) -> bool:
        """Say whether a session of theirs that was begun in this way is over, because the rule is a newer one."""
        if method == THROUGH_ENTRA:
            return not self.through_entra
        return self.administrators_only and user.role is not Role.ADMIN

    def ends_tokens(self, owner: Actor) -> bool:
        """Say so of access tokens: those of people are given for a password."""
        return self.administrators_only and owner.kind is ActorKind.USER and owner.role is not Role.ADMIN

    def needs_set_up(self, tx: Tx, user_id: str) -> bool:
        """Say whether somebody who signs in with a password needs a second factor, and has none."""
        return self.administrators_only and not store.has_second_factor(tx, user_id)
