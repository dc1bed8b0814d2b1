"""A program as anybody would write it: it signs in to Entra ID with what its environment says, and knows nothing of Keyturn.

It prints a line for each sign-in: the first three characters of its secret, and what was answered.
"""

import itertools
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

_EVERY = 0.25


def main() -> None:
    """Sign in again and again, until a signal comes."""
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_secret": os.environ["AZURE_CLIENT_SECRET"],
        "scope": "https://graph.microsoft.com/.default",
    }
    hint = os.environ["AZURE_CLIENT_SECRET"][:3]
    for number in itertools.count():
        status = _status(urllib.parse.urlencode(form).encode())
        sys.stdout.write(f"{'signed in' if number else 'started'} {hint} {status}\n")
        sys.stdout.flush()
        time.sleep(_EVERY)


def _status(form: bytes) -> int:
    try:
        with urllib.request.urlopen(os.environ["TOKEN_URL"], form) as answer:  # noqa: S310 - that of the demonstration
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    main()
