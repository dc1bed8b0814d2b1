"""The settings of how people sign in: part of the table, see :mod:`keyturn.settings.table`."""

from keyturn.settings import values
from keyturn.settings.model import ADMINISTRATORS, EVERYONE
from keyturn.settings.setting import Setting

SIGN_IN_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "KEYTURN_SSO_TENANT_ID",
        "sso.tenant_id",
        values.guid,
        "11111111-2222-4333-8444-555555555555",
        "Directory (tenant) id of the Entra ID whose people sign in to this server. Goes with KEYTURN_SSO_CLIENT_ID, SITE_URL,"
        " and one of KEYTURN_SSO_CLIENT_SECRET, KEYTURN_SSO_TOKEN_SOURCE and KEYTURN_SSO_CERTIFICATE.",
    ),
    Setting(
        "KEYTURN_SSO_CLIENT_ID",
        "sso.client_id",
        values.guid,
        "11111111-2222-4333-8444-555555555555",
        "Client id of the Entra application through which people sign in. Its Web redirect URI is SITE_URL followed by"
        " /sign-in/entra/callback.",
    ),
    Setting(
        "KEYTURN_SSO_CLIENT_SECRET",
        "sso.client_secret",
        values.entra_secret,
        "...",
        "Client secret of that application.",
        secret=True,
    ),
    Setting(
        "KEYTURN_SSO_TOKEN_SOURCE",
        "sso.token_source",
        values.word,
        "aks",
        "Instead of a client secret: the source in KEYTURN_TOKEN_SOURCES whose tokens the application trusts.",
    ),
    Setting(
        "KEYTURN_SSO_CERTIFICATE",
        "sso.certificate",
        values.secret,
        "-----BEGIN CERTIFICATE-----...",
        "Instead of a client secret: a certificate that was uploaded to the application, with its private key, as PEM. Its file"
        " may be a PFX file, too, and is read again when it has changed: a renewed certificate needs no restart.",
        secret=True,
        read_later=True,
    ),
    Setting(
        "KEYTURN_SSO_CERTIFICATE_PASSPHRASE",
        "sso.certificate_passphrase",
        values.secret,
        "...",
        "Passphrase of that private key or PFX file, if it is encrypted.",
        secret=True,
    ),
    Setting(
        "KEYTURN_SSO_GROUPS",
        "sso.groups",
        values.guids,
        "11111111-2222-4333-8444-555555555555",
        "Object ids of the groups whose members may sign in through Entra ID, separated by commas or spaces; others are refused.",
        default="everybody to whom a group or KEYTURN_SSO_DEFAULT_ROLE gives a role",
    ),
    Setting(
        "KEYTURN_SSO_DEFAULT_ROLE",
        "sso.default_role",
        values.choice("member", "viewer", "no-access"),
        "viewer",
        "Role in the organization of people to whom none of their groups gives one: member, viewer or no-access.",
        default="none: they are refused",
    ),
    Setting(
        "KEYTURN_PASSWORD_SIGN_IN",
        "password_sign_in",
        values.choice(EVERYONE, ADMINISTRATORS),
        ADMINISTRATORS,
        "Who may sign in with a password: everyone, or administrators only, who then need a second factor. Administrators is for"
        " servers where people sign in through Entra ID.",
    ),
)
