#!/bin/sh
# The entry point of an image: the program that is the image's command gets the secrets of a folder as environment variables.
#   ENTRYPOINT ["/entrypoint.sh"]
#   CMD ["python", "billing.py"]
# keyturn run becomes process 1: it passes on signals and the exit status, and collects ended child processes that nobody else waits for (zombies).
set -eu
exec keyturn run --path "${KEYTURN_SECRET_PATH:-/}" --grace "${GRACE_SECONDS:-8}" -- "$@"
