"""What somebody who waits came with: their token, address and rights, as they were and as they are now."""

from collections.abc import Callable, Sequence
from datetime import datetime

from keyturn.authz.authorize import Grants, granted_to_each
from keyturn.changes import store as feed
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.secrets.access import project_id_of
from keyturn.secrets.domain import Address
from keyturn.tokens import store as tokens
from keyturn.tokens.service import digest_of, holder


@dataclass(frozen=True, slots=True)
class Standing:
    """Who somebody is and what they may do in a project. By the clock alone it may be otherwise from ``until`` on."""

    actor: Actor
    grants: Grants
    until: datetime | None


@dataclass(eq=False, slots=True)
class Claim:
    """``revision`` is the project's when the claim was made; ``access`` is the counter of the same name just before.

    ``refusal`` is set once the token, the address or its owner is not let in any more.
    """

    digest: str
    ip: str
    request_id: str | None
    project_id: str
    revision: int
    access: int
    standing: Standing
    refusal: KeyturnError | None = None


class Claims:
    """Makes claims, and looks whether they still hold: many of them in a few statements."""

    def __init__(self, database: Database, clock: Clock, access: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._access = access

    def of(self, token: Plaintext, ip: str, actor: Actor, address: Address) -> Claim:
        """Return the claim of somebody who has been let in. Raises as signing in does, and NotFound, Refused for no project.

        Whether they may know anything of the project is not judged here.
        """
        digest, access = digest_of(token), self._access()
        with self._database.read() as tx:
            project_id = project_id_of(tx, actor, address)
            revision = feed.revision(tx, project_id)
            [standing] = self._standings(tx, project_id, [(digest, ip)])
        if isinstance(standing, KeyturnError):
            raise standing
        return Claim(digest, ip, actor.request_id, project_id, revision, access, standing)

    def look_again(self, claims: Sequence[Claim]) -> list[tuple[Claim, Standing | KeyturnError]]:
        """Return those that stand otherwise than before, each with how, or with the refusal."""
        by_project: dict[str, list[Claim]] = {}
        for claim in claims:
            by_project.setdefault(claim.project_id, []).append(claim)
        changed: list[tuple[Claim, Standing | KeyturnError]] = []
        for project_id, each in by_project.items():
            with self._database.read() as tx:
                standings = self._standings(tx, project_id, [(claim.digest, claim.ip) for claim in each])
            changed += [
                (claim, standing)
                for claim, standing in zip(each, standings, strict=True)
                if isinstance(standing, KeyturnError) or standing != claim.standing
            ]
        return changed

    def _standings(
        self, tx: Tx, project_id: str, callers: Sequence[tuple[str, str]]
    ) -> Sequence[Standing | KeyturnError]:
        now = self._clock.now()
        stored = tokens.tokens(tx, list(dict.fromkeys(digest for digest, _ in callers)))
        holders: list[Actor | KeyturnError] = []
        for digest, ip in callers:
            try:
                holders.append(holder(stored.get(digest), ip, now))
            except KeyturnError as error:
                holders.append(error)
        actors = list({each.id: each for each in holders if isinstance(each, Actor)}.values())
        granted = dict(zip((each.id for each in actors), granted_to_each(tx, actors, project_id), strict=True))
        standings: list[Standing | KeyturnError] = []
        for (digest, _), each in zip(callers, holders, strict=True):
            if isinstance(each, KeyturnError):
                standings.append(each)
                continue
            grants, until = granted[each.id]
            ends = [moment for moment in (until, stored[digest].expires_at) if moment is not None]
            standings.append(Standing(each, grants, min(ends, default=None)))
        return standings
