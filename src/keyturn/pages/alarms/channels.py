"""The channels through which alarms are told: set up, tried, changed and removed by administrators of the organization."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from keyturn.alarms.channel_service import ChannelDraft, Channels
from keyturn.alarms.channels.kind import ChannelKind
from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Channel
from keyturn.alarms.message_store import Delivery
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.web.html.forms import require_typed
from keyturn.web.html.render import ProjectLink
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Trimmed, printable, trimmed
from keyturn.web.schema.wire import ApiModel

HERE = "/alarms/channels"
Word = Annotated[Trimmed, Meta(max_length=2000)]


@dataclass(frozen=True)
class ChannelsPage(Page):
    template: ClassVar[str] = "alarms/channels.html"
    section: ClassVar[str] = "alarms"

    channels: Sequence[Channel]
    kinds: Sequence[ChannelKind]
    has_mail_server: bool
    form_state: FormState
    admin: bool = True
    tab: str = "channels"

    def title_of(self, kind: str) -> str:
        return next((each.title for each in self.kinds if each.key == kind), kind)

    @staticmethod
    def project_options(projects: Sequence[ProjectLink], channel: Channel | None) -> list[tuple[str, str]]:
        """Return the projects to choose from; that of the channel is among them, however many there are."""
        options = {project.id: project.name for project in projects}
        if channel and channel.project_id:
            options.setdefault(channel.project_id, "The project it has now")
        return list(options.items())


@dataclass(frozen=True)
class ChannelPage(Page):
    template: ClassVar[str] = "alarms/channel.html"
    section: ClassVar[str] = "alarms"

    channel: Channel
    title: str
    deliveries: Sequence[Delivery]


class ChannelForm(ApiModel, rename=None, kw_only=True):
    """``to``: addresses, one to a line. An empty ``secret`` leaves the one that is there."""

    name: Annotated[NonEmpty, printable, Meta(max_length=64)]
    secret: Annotated[Plaintext, trimmed, Meta(max_length=4000)] | None = None
    url: Word = ""
    host: Word = ""
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    security: Trimmed = "starttls"
    username: Word = ""
    sender: Word = ""
    to: Annotated[Trimmed, Meta(max_length=20_000)] = ""
    owners: bool = True
    project_id: Trimmed = ""
    least: Severity = Severity.NOTICE
    digest_hour: Annotated[int, Meta(ge=0, le=23)] = 8
    time_zone: Trimmed = "UTC"
    enabled: bool = True

    def draft(self, kind: str) -> ChannelDraft:
        config: dict[str, Any] = {
            "url": self.url,
            "host": self.host,
            "port": self.port,
            "security": self.security,
            "username": self.username,
            "from": self.sender,
            "to": self.to.split(),
            "owners": self.owners,
        }
        return ChannelDraft(
            self.name,
            kind,
            config,
            self.secret if self.secret is not None and len(self.secret) else None,
            self.project_id or None,
            self.least,
            self.digest_hour,
            self.time_zone,
            self.enabled,
        )


class DeleteChannelForm(ApiModel, rename=None):
    confirm: Trimmed = ""


def router(channels: Channels, *, has_mail_server: bool) -> Pages:
    """Return the pages of channels, and what can be done on them."""

    @get(HERE)
    def show_channels(actor: Actor, form_state: FormState) -> ChannelsPage:
        return ChannelsPage(channels.list(actor), list(channels.kinds.values()), has_mail_server, form_state)

    @get(f"{HERE}/{{channel_id}}")
    def show_channel(actor: Actor, channel_id: str) -> ChannelPage:
        channel = channels.get(actor, channel_id)
        kind = channels.kinds.get(channel.kind)
        return ChannelPage(channel, kind.title if kind else channel.kind, channels.messages(actor, channel_id))

    @post(f"{HERE}/new/{{kind}}", form_page=show_channels)
    def add_channel(actor: Actor, kind: str, form: ChannelForm) -> Redirect:
        channel = channels.create(actor, form.draft(kind))
        return Redirect(HERE, toast=f"{channel.name} was added. Test it now.")

    @post(f"{HERE}/{{channel_id}}/change", form_page=show_channels)
    def change_channel(actor: Actor, channel_id: str, form: ChannelForm) -> Redirect:
        return Redirect(HERE, toast=f"{channels.update(actor, channel_id, form.draft('')).name} was saved.")

    @post(f"{HERE}/{{channel_id}}/test", form_page=show_channels)
    def test_channel(actor: Actor, channel_id: str) -> Redirect:
        attempts = channels.test(actor, channel_id)
        failed = [attempt.outcome for attempt in attempts if not attempt.ok]
        if attempts and not failed:
            return Redirect(HERE, toast="The message was taken: look whether it is there.")
        return Redirect(f"{HERE}/{channel_id}", toast=failed[0] if failed else "There is nobody to write to.")

    @post(f"{HERE}/{{channel_id}}/delete", form_page=show_channels)
    def delete_channel(actor: Actor, channel_id: str, form: DeleteChannelForm) -> Redirect:
        require_typed(form.confirm, channels.get(actor, channel_id).name)
        return Redirect(HERE, toast=f"{channels.delete(actor, channel_id).name} was deleted.")

    return group(show_channels, show_channel, add_channel, change_channel, test_channel, delete_channel)
