"""Routes of the past of a folder: what its secrets were, and putting them back."""

from keyturn.api.secrets.past_schemas import AtTime, DifferenceAnswer, PastSecrets, PastSecretsAnswer, RollBackFolder
from keyturn.api.secrets.views import past_secrets
from keyturn.kit.actor import Actor
from keyturn.secrets.past import Difference, Past
from keyturn.web.messages import Response
from keyturn.web.routes import Routes, get, group, post

ROOT = "/api/v2/folders/{folder}"


def router(past: Past) -> Routes:
    def show_past(actor: Actor, folder: str, query: PastSecrets) -> Response:
        """List the secrets that the folder with this id had at a moment or a revision of its project, by name.

        Removed ones are among them, as long as the history is kept; personal values and tags are not.
        """
        found = past.look(actor, folder, query.when(), view=query.view_secret_value)
        return past_secrets(found, past.opened(actor, found))

    def show_difference(actor: Actor, folder: str, query: AtTime) -> DifferenceAnswer:
        """Show what putting the folder back to a moment or a revision would do."""
        return _answer(past.difference(actor, folder, query.when()))

    def roll_back(actor: Actor, folder: str, data: RollBackFolder) -> DifferenceAnswer:
        """Put the secrets of the folder back to what they were at a moment or a revision: all of them, or none.

        What was removed is made again, what was added is removed, what was changed has a new version that says what the older
        one said. Secrets of secret rotations stay as they are; so do tags.
        """
        return _answer(past.rollback(actor, folder, data.when()))

    return group(
        "Folders",
        get(f"{ROOT}/past", answer=PastSecretsAnswer)(show_past),
        get(f"{ROOT}/past/difference")(show_difference),
        post(f"{ROOT}/rollback")(roll_back),
    )


def _answer(difference: Difference) -> DifferenceAnswer:
    return DifferenceAnswer(
        difference.revision, difference.added, difference.changed, difference.removed, difference.kept
    )
