"""Refusals of tokens that other issuers signed, and of federated identity credentials: the part of the table about these.

Sources: https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations, and public threads about
each code (azure-workload-identity issues 605, 642, 1200, 1232; Azure/login issues 283, 482, 517).
"""

from collections.abc import Iterable

from keyturn.errors import RefusalReason
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource

_FIELD = "tokenSource"
_TOLD = "Presented were the issuer '{issuer}', the subject '{subject}' and the audience '{audience}'."
_EXACT = (
    "A federated credential made in the last minutes may still be spreading. Otherwise compare each letter, also capitals and a "
    "slash at the end, with those of the application: `az ad app federated-credential list --id {app_id}`. "
)
_TRUST = "This makes it match: `{trust}`."


def _row(
    numbers: Iterable[int],
    kind: ErrorKind,
    code: str,
    cause: str,
    fix: str,
    reason: RefusalReason | None = None,
    field: str | None = _FIELD,
) -> list[ErrorRow]:
    source = ErrorSource.SIGN_IN
    return [ErrorRow(source, str(number), None, kind, code, cause, fix, ("",), reason, field) for number in numbers]


FEDERATED_TABLE: tuple[ErrorRow, ...] = (
    *_row(
        (70021, 700211, 700213, 7002131, 7002137, 7002138),
        ErrorKind.NOT_YET,
        "azure.federation_no_match",
        f"Application {{app_id}} does not trust the identity of this server. {_TOLD}",
        _EXACT + _TRUST,
        RefusalReason.CREDENTIAL_UNKNOWN,
    ),
    *_row(
        (700212, 7002121),
        ErrorKind.NOT_YET,
        "azure.federation_audience",
        f"The token of this server's identity is for another audience than application {{app_id}} expects. {_TOLD}",
        "A federated credential changed in the last minutes may still be spreading. Otherwise have the platform make a token for "
        "the audience {wanted_audience} (on Kubernetes `audience` of serviceAccountToken in "
        "the projected volume). Where the federated credential is for another one, "
        "`az ad app federated-credential list --id {app_id}`, this changes it: `{trust_changed}`.",
        RefusalReason.CREDENTIAL_UNKNOWN,
    ),
    *_row(
        (7000272,),
        ErrorKind.AGAIN,
        "azure.federation_key_unknown",
        "Entra ID does not know yet the key with which '{issuer}' signed the token.",
        "It keeps the keys of an issuer for up to an hour, and those of a new one may be unknown for half an hour: it is tried "
        "again. If it goes on, look whether the issuer publishes the key: {issuer}/.well-known/openid-configuration.",
    ),
    *_row(
        (90061, 50166, 501661),
        ErrorKind.AGAIN,
        "azure.federation_issuer_unreachable",
        "Entra ID could not fetch the keys of '{issuer}'.",
        "It is tried again. The issuer's /.well-known/openid-configuration and the keys it names must be reachable from the "
        "Internet by HTTPS, without a sign-in, a redirect or a limit to some networks; and it must name exactly this issuer.",
    ),
    *_row(
        (900612,),
        ErrorKind.ACTION,
        "azure.federation_issuer_unreadable",
        "Entra ID cannot read the keys that '{issuer}' publishes.",
        "Publish RSA keys for RS256 as a JSON Web Key Set, each with kid, kty, n, e and use: look at the `jwks_uri` of "
        "{issuer}/.well-known/openid-configuration. Which issuer that should be: "
        "`az ad app federated-credential list --id {app_id}`.",
    ),
    *_row(
        (700222, 700226, 700227, 700229, 700236),
        ErrorKind.ACTION,
        "azure.federation_entra_token",
        f"Of Entra ID's own tokens only those of a managed identity of the same tenant are exchanged. {_TOLD}",
        "Use a managed identity of the tenant of application {app_id}, whose issuer is "
        "{authority}/{tenant_id}/v2.0, or an issuer outside of Entra ID. "
        "What it trusts: `az ad app federated-credential list --id {app_id}`.",
        RefusalReason.CREDENTIAL_UNKNOWN,
    ),
    *_row(
        (700024,),
        ErrorKind.ACTION,
        "azure.assertion_times",
        "Entra ID says that what was presented for application {app_id} is not valid at this time.",
        "Look at the clocks of this server and of whoever made the token, and whether the platform renews it. "
        "Portal: Entra ID > Sign-in logs > Service principal sign-ins shows the moment.",
        field=None,
    ),
    *(
        ErrorRow(
            ErrorSource.GRAPH,
            code,
            None,
            ErrorKind.ACTION,
            "azure.federation_full",
            "Application {app_id} trusts as many identities as it can: no further federated credential fits.",
            "Remove a federated credential that nobody uses. What it trusts: "
            "`az ad app federated-credential list --id {app_id}`; each is removed by "
            "`az ad app federated-credential delete` with its --federated-credential-id.",
            ("federated identity credential",),
        )
        for code in ("Directory_ResourceSizeExceeded", "Directory_QuotaExceeded")
    ),
)

IDENTITY_TABLE: tuple[ErrorRow, ...] = tuple(
    _row(
        (700027, 50027, 50013),
        ErrorKind.ACTION,
        "azure.federation_signature",
        "Entra ID cannot verify the token of this server's identity with the keys that '{issuer}' publishes.",
        "Perhaps it was cut off where it was copied, or something else than the issuer made it. Have the platform put it where "
        "the token source says, and compare its keys with those of {issuer}/.well-known/openid-configuration.",
    )
)
"""Codes that say something else of assertions which an application signs with its certificate."""
