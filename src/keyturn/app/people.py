"""How people come in and are helped, put together: invitations, one-time links, and the pages of users."""

from typing import cast

from keyturn.accounts.service import Access
from keyturn.alarms.channels.email.channel import Email
from keyturn.api.people import admin_routes
from keyturn.app.alarms import channel_kinds, site
from keyturn.app.core import Core
from keyturn.app.mail import PersonalMail
from keyturn.projects.service import Projects
from keyturn.provisioning.invitations import Invitations
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Routes


def open_invitations(core: Core, access: Access, projects: Projects) -> Invitations:
    """Return the use cases of invitations; mail is sent where the settings name a mail server."""
    channel = cast(Email, channel_kinds(core)["email"])
    mailer = PersonalMail(channel, core.clock, core.ids) if core.settings.mail else None
    return Invitations(
        core.database,
        core.clock,
        access.users,
        access.links,
        access.administration,
        projects.members,
        site(core),
        mailer,
    )


def people_routes(core: Core, access: Access, projects: Projects, limiter: Limiter) -> Routes:
    return admin_routes.router(access, open_invitations(core, access, projects), limiter)
