"""From an answer, or the lack of one, to the error that is raised: the table's row with its texts filled in."""

import re
from collections.abc import Iterable

from keyturn.errors import NeedsAction, NotYet, Permanent, Retryable, SignInAgain, Unanswered, Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import TransportFailed
from keyturn.providers.azure.assertions import Presented, list_command
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource
from keyturn.providers.azure.errors import UNREADABLE, WAIT, row_for
from keyturn.providers.azure.responses import Answer, quote_words, safe_id

_POLICY = re.compile(r"'([0-9a-fA-F-]{36})'")
_FINAL = {ErrorKind.ACTION: NeedsAction, ErrorKind.SIGN_IN_AGAIN: SignInAgain, ErrorKind.NEVER: Permanent}
_MAYBE_DONE = "It is not known whether the change was made."


@dataclass(frozen=True)
class ErrorContext:
    """What the failed call was about, to fill the texts: real ids, so that a command can be pasted as it is.

    ``client_id`` is whose sign-in it was, ``app_id`` the application that it was about. An id that is not known stands for
    itself by another one that names the same thing, or by the command that finds it.
    """

    tenant_id: str
    portal: str
    authority: str
    graph: str
    app_id: str
    client_id: str | None = None
    object_id: str | None = None
    principal_id: str | None = None
    told: Presented | None = None
    """What a token of another issuer said, if one was sent."""
    wanted_audience: str = ""
    redirect_uri: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Return the words that texts may have between braces."""
        client_id, told = self.client_id or self.app_id, self.told or Presented("", "", "", None)
        return {
            "tenant_id": self.tenant_id,
            "portal": self.portal,
            "authority": self.authority,
            "graph": self.graph,
            "app_id": self.app_id,
            "client_id": client_id,
            "object_id": self.object_id or self.app_id,
            "principal_id": self.principal_id or principal_of(client_id),
            "issuer": told.issuer,
            "subject": told.subject,
            "audience": told.audience,
            "wanted_audience": self.wanted_audience,
            "redirect_uri": self.redirect_uri,
            "trust": told.command(self.app_id, self.wanted_audience) if self.told else list_command(self.app_id),
            "trust_changed": told.change_command(self.app_id, self.wanted_audience),
        }


def principal_of(client_id: str) -> str:
    """Return what a shell replaces by the object id of the application's service principal."""
    return f"$(az ad sp show --id {client_id} --query id --output tsv)"


def refusal(
    source: ErrorSource, answer: Answer, subject: ErrorContext, hide: Iterable[Plaintext], *, writing: bool = False
) -> Upstream:
    """Return the error to raise for an answer. ``hide`` are the secrets that its words must not repeat.

    With ``writing`` every answer that does not rule out that the change was made becomes Unanswered.
    """
    row = row_for(source, answer, by_identity=subject.told is not None)
    cause, fix = _texts(row, source, answer, subject, hide)
    # A proxy that filters answers puts its own in place of one, after the change was made.
    uncertain = answer.status < 400 or answer.status in {408, 409} or answer.status >= 500 or answer.is_foreign
    if writing and uncertain:
        cause = f"{cause} {_MAYBE_DONE}"
        return Unanswered(cause, code=row.code, fix=fix, request_id=answer.request_id, retry_after=answer.retry_after)
    if row.kind in {ErrorKind.AGAIN, ErrorKind.NOT_YET}:
        kind = NotYet if row.kind is ErrorKind.NOT_YET else Retryable
        return kind(
            cause,
            code=row.code,
            fix=fix,
            request_id=answer.request_id,
            retry_after=answer.retry_after,
            reason=row.reason,
            field=row.field,
        )
    final = _FINAL[row.kind]
    return final(cause, code=row.code, fix=fix, request_id=answer.request_id, reason=row.reason, field=row.field)


_NETWORK_FIX = "Check name resolution, firewall, proxy and trust store (CA file) of this server."
_PROXY_FIX = {
    407: "Give this server's HTTPS_PROXY a user name and a password that the proxy accepts.",
    403: "Let the proxy of HTTPS_PROXY permit the addresses of Microsoft, or name them in NO_PROXY.",
}


def no_answer(source: ErrorSource, failure: TransportFailed, *, writing: bool = False) -> Retryable:
    """Return the error to raise when no response came: Unanswered only for a write that may have arrived."""
    if not failure.sent:
        return Retryable(
            f"{source} cannot be reached: {failure}.",
            code="azure.unreachable",
            fix=_PROXY_FIX.get(failure.proxy_status or 0, _NETWORK_FIX),
        )
    if writing:
        return Unanswered(f"{source} did not answer: {failure}. {_MAYBE_DONE}", code="azure.no_answer", fix=WAIT)
    return Retryable(f"{source} did not answer: {failure}.", code="azure.no_answer", fix=WAIT)


def unreadable(source: ErrorSource, request_id: str | None, *, writing: bool = False) -> Retryable:
    """Return the error to raise for a success whose body is not what it should be."""
    cause, request_id = UNREADABLE.cause.format(source=source), safe_id(request_id)
    if writing:
        return Unanswered(f"{cause} {_MAYBE_DONE}", code=UNREADABLE.code, fix=UNREADABLE.fix, request_id=request_id)
    return Retryable(cause, code=UNREADABLE.code, fix=UNREADABLE.fix, request_id=request_id)


def _error_page(answer: Answer, subject: ErrorContext) -> str:
    """Return where Microsoft explains the number of an answer.

    https://learn.microsoft.com/entra/identity-platform/reference-error-codes#lookup-current-error-code-information
    """
    number = next((code for code in answer.codes if code.isdigit()), None)
    return f"{subject.authority}/error?code={number}" if number else f"{subject.authority}/error"


def _texts(
    row: ErrorRow, source: ErrorSource, answer: Answer, subject: ErrorContext, hide: Iterable[Plaintext]
) -> tuple[str, str]:
    policy = _POLICY.search(answer.text)
    values = {
        "source": source.value,
        "status": answer.status,
        **subject.names,
        "policy": policy[1] if policy else "of the tenant",
        "words": quote_words(answer.text, hide) or f"status {answer.status}",
        "error_page": _error_page(answer, subject),
    }
    label = quote_words(answer.codes[0], hide) if answer.codes else str(answer.status)
    label_text = f"AADSTS{label}" if label.isdigit() and answer.codes else label
    cause = row.cause.format_map(values).removesuffix(".")
    told = f"status {label_text}" in cause
    return f"{cause}." if told else f"{cause} ({label_text}).", row.fix.format_map(values)
