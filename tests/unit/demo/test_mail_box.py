"""The mail server of the demonstration takes what the product sends, and shows it."""

import threading
from email.message import EmailMessage
from functools import partial

from keyturn.alarms.channels.email.channel import Email
from keyturn.alarms.notification import trial
from keyturn.demo.mail_box import MailBox, mail_shown
from keyturn.kit.clock import SystemClock
from keyturn.settings.model import MailServer


def test_a_mail_is_taken_and_shown() -> None:
    mails: list[EmailMessage] = []
    came = threading.Event()

    def show(mail: EmailMessage) -> None:
        mails.append(mail)
        came.set()

    with MailBox(show) as box:
        server = MailServer("127.0.0.1", box.port, "none", "", None, "keyturn@example.com")
        told = trial("m-1", "ann@acme.test", SystemClock().now(), "mail", "Ann", "http://localhost:1")
        assert Email(server, (), partial(AssertionError, "no TLS here")).send({}, None, told) == "Taken by 127.0.0.1"
        assert came.wait(30)
    text = mail_shown(mails[0])
    assert "An e-mail to ann@acme.test: " in text
    assert "  | All alarms: http://localhost:1/alarms" in text
