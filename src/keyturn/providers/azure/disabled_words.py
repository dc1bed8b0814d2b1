"""What to do about an application that is disabled, as commands that can be pasted.

Its service principal is disabled in one tenant, or its registration is deactivated for all of them:
https://learn.microsoft.com/entra/identity/enterprise-apps/deactivate-app-registration. A refused sign-in does not say which.
"""

ENABLE_PRINCIPAL = "`az ad sp update --id {app_id} --set accountEnabled=true`"
ACTIVATE = (
    "`az rest --method patch --url \"{graph}/v1.0/applications(appId='{app_id}')\" --headers Content-Type=application/json "
    "--body '{{\"isDisabled\": false}}'`"
)
ENABLE = (
    "Portal: Entra ID > Enterprise applications > the application > Properties > Enabled for users to sign in: Yes. Command: "
    f"{ENABLE_PRINCIPAL}. If that is so already, its registration was deactivated; this activates it again: {ACTIVATE}."
)
"""To be formatted with ``app_id`` and ``graph``."""
