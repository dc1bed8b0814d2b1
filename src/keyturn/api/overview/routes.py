"""Route of what needs somebody."""

from keyturn.alarms.conditions.service import Asked, Conditions
from keyturn.api.overview.schemas import OverviewQuery, OverviewShown
from keyturn.api.overview.views import present_overview
from keyturn.kit.actor import Actor
from keyturn.web.routes import Routes, get, group


def router(conditions: Conditions) -> Routes:
    """Route for everybody: each sees what they may see of it."""

    @get("/api/v1/overview", compressed=True)
    def show_overview(actor: Actor, query: OverviewQuery) -> OverviewShown:
        """Show what needs somebody: what fails, is refused, ends soon, waits to be removed, or was changed by others.

        Of the whole organization, or with `projectId` of one of its projects. It is empty where all is well; `connections`
        says when they were tried. Poll it: a condition that is over is gone.
        """
        with conditions.of(actor, query.project_id, Asked(0, query.limit)) as attention:
            return present_overview(attention, query.limit)

    return group("Overview", show_overview)
