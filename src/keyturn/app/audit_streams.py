"""Where this server sends all audit events, as its settings say."""

from functools import partial

from keyturn.app.core import Core, before_call
from keyturn.audit.checks import ChainChecks
from keyturn.audit.receivers import FileReceiver, Receiver, SyslogReceiver, WebhookReceiver
from keyturn.audit.streams import DueStreams
from keyturn.errors import busy
from keyturn.kit.bulkhead import Bulkhead
from keyturn.providers.transport import HttpTransport
from keyturn.rotations.run_check import compare_runs
from keyturn.settings.model import AuditStreamSettings


def due_streams(core: Core) -> DueStreams:
    """Return the source of the work of sending them."""
    given, found = core.settings.audit_streams, list[Receiver]()
    if given.file is not None:
        found.append(FileReceiver(given.file))
    if given.syslog is not None:
        found.append(SyslogReceiver(*given.syslog, core.settings.ca_file))
    if given.webhook is not None and given.webhook_secret is not None:
        guard = partial(
            before_call, core.database, Bulkhead(partial(busy, "sending audit events"), places=1, waiting=1)
        )
        transport = HttpTransport(ca_file=core.settings.ca_file, guard=guard)
        found.append(WebhookReceiver(given.webhook, given.webhook_secret, transport))
    return DueStreams(core.database, core.clock, found)


def chain_checks(core: Core) -> ChainChecks:
    """Return what verifies chains and runs, and says how it goes with the receivers."""
    return ChainChecks(core.database, core.clock, receivers_of(core.settings.audit_streams), compare_runs)


def receivers_of(given: AuditStreamSettings) -> list[str]:
    """Return the ids of the receivers that are set."""
    names = (("file", given.file), ("syslog", given.syslog), ("webhook", given.webhook))
    return [name for name, value in names if value is not None]
