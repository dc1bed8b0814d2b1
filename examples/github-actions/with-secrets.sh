#!/bin/sh
# Runs a command with the secrets of a folder in a job of GitHub Actions. No secret is stored at GitHub: the job signs in with the
# token that GitHub signs for it (permissions: id-token: write). Nothing secret stands in the arguments of a process.
#   with-secrets.sh ./deploy.sh
set -eu
umask 077
token=$(mktemp)
trap 'rm -f "$token"' EXIT

printf 'header = "Authorization: bearer %s"\nurl = "%s&audience=%s"\n' \
  "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$ACTIONS_ID_TOKEN_REQUEST_URL" "${KEYTURN_AUDIENCE:-keyturn}" |
  curl --silent --show-error --fail --config - |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["value"])' > "$token"

# A job reads once, and keeps no copy on a machine that others may use next.
KEYTURN_AUTH_METHOD=oidc-auth KEYTURN_JWT_FILE=$token keyturn run --no-watch --no-cache -- "$@"
