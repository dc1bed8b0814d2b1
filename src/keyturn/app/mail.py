"""Mail to one person, through the mail server of the settings."""

from email.message import EmailMessage
from email.utils import format_datetime

from keyturn.alarms.channels.email.channel import Email, parse_address
from keyturn.alarms.channels.kind import Undelivered
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.mail import Mailer


@dataclass(frozen=True)
class PersonalMail(Mailer):
    channel: Email
    clock: Clock
    ids: Ids

    def __call__(self, receiver: str, subject: str, text: str) -> str:
        message = EmailMessage()
        try:
            message["To"] = parse_address(receiver)
            message["Subject"] = subject
            message["Date"] = format_datetime(self.clock.now())
            message["Message-ID"] = f"<{self.ids.new()}@keyturn>"
            message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes in return
            message.set_content(text)
            self.channel.send_text(message)
        except ValueError:
            return f"'{receiver}' is no address that a mail can be sent to."
        except Undelivered as error:
            return str(error)
        return ""
