"""Why no connection came about, in words. Nothing that was sent or received is quoted."""

import ssl


def cause_of(error: Exception) -> Exception:
    """Return the error of the system or of TLS that a library made its own of; the error itself where there is none."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    return behind or error


def describe_cause(error: Exception) -> str:
    """Say what went wrong, without a full stop."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, UnicodeError):
        return "it is no name of a host"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
