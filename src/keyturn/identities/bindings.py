"""What a token of somebody else's must say to sign a machine identity in, for each method. Pure: values in, values out.

A binding that would let in whoever gets any token of a public issuer is refused when it is written.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid

_WELL_KNOWN = "/.well-known/"
_SHOWN = 200
_LONGEST_MATCH = 4096
_MOST_STARS = 16
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})")
_STARS = re.compile(r"(\*+)")


class TokenRefusal(Exception):
    """A token signs nobody in. ``reason`` is a word for the audit trail, ``shown`` is what the token says there.

    ``shown`` is empty as long as the signature is not proven: before that, anybody may have written it.
    """

    def __init__(self, reason: str, claim: object = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.shown = shown_text(claim)


def shown_text(value: object) -> str:
    """Return what the audit trail shows of a value that somebody else chose: not too long, and nothing that deceives."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(value)[:_SHOWN])


@dataclass(frozen=True)
class OidcBinding:
    """A token of an OpenID Connect issuer. ``audiences`` and each value of ``claims`` are lists with commas between.

    They and ``subject`` are patterns, see :func:`matches`; empty ones are not looked at. ``ca`` is PEM, empty for the
    machine's own trust store.
    """

    method: ClassVar[str] = "oidc-auth"
    title: ClassVar[str] = "OIDC Auth"

    discovery_url: str = ""
    issuer: str = ""
    audiences: str = ""
    subject: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    ca: str = ""

    @property
    def document_url(self) -> str:
        """The address of the discovery document: OpenID Connect Discovery 1.0, section 4, unless it is given whole."""
        url = self.discovery_url.rstrip("/")
        return url if _WELL_KNOWN in url else f"{url}{_WELL_KNOWN}openid-configuration"

    def check(self) -> None:
        """Raise Refused for a binding that cannot work, or lets in everybody."""
        _check_address(self.discovery_url, "oidcDiscoveryUrl")
        _check_certificates(self.ca)
        lists = (self.audiences, *self.claims.values())
        _check_patterns(self.subject, *(entry for each in lists for entry in entries(each)))
        if not self.issuer:
            raise _invalid(
                "The issuer of the tokens is missing.", "Set boundIssuer to the `iss` of the tokens.", "boundIssuer"
            )
        if not (self.subject or entries(self.audiences) or any(entries(value) for value in self.claims.values())):
            raise _unbound("boundSubject, boundAudiences or boundClaims")

    def require(self, claims: Mapping[str, Any]) -> str:
        """Return the subject of a token whose signature was proven. Raises TokenRefusal when something does not match."""
        if claims.get("iss") != self.issuer:
            raise TokenRefusal("issuer", claims.get("iss", ""))
        subject = str(claims.get("sub", ""))
        if self.subject and not matches(self.subject, subject):
            raise TokenRefusal("subject", subject)
        _require_one(entries(self.audiences), claims.get("aud"), "audience")
        for name, patterns in self.claims.items():
            _require_one(entries(patterns), claims.get(name), f"claim {name}")
        return subject


@dataclass(frozen=True)
class AzureBinding:
    """A token that Entra ID gave to a managed identity, or to another service principal, of one tenant.

    ``principals`` are object ids of service principals with commas between; one has to be there. Otherwise everybody who
    may register an application in the tenant would be let in, and so would everybody with an account, for a resource
    that people get tokens for.
    """

    method: ClassVar[str] = "azure-auth"
    title: ClassVar[str] = "Azure Auth"

    tenant_id: str = ""
    resource: str = ""
    principals: str = ""

    def check(self) -> None:
        """Raise Refused for a binding that cannot work, or lets in everybody of the tenant."""
        if not is_uuid(self.tenant_id):
            raise _invalid(
                f"'{self.tenant_id[:_SHOWN]}' is no tenant ID.", "Set tenantId to the ID of the directory.", "tenantId"
            )
        if not self.resource:
            raise _invalid("The resource is missing.", "Set resource to the `aud` of the tokens.", "resource")
        wrong = [entry for entry in entries(self.principals) if not is_uuid(entry)]
        if wrong:
            raise _invalid(
                f"'{wrong[0][:_SHOWN]}' is no ID of a service principal.",
                "Give object IDs (of a managed identity: principal ID), with commas between.",
                "allowedServicePrincipalIds",
            )
        if not entries(self.principals):
            raise _unbound("allowedServicePrincipalIds")

    def require(self, claims: Mapping[str, Any]) -> str:
        """Return the service principal of a token whose signature was proven. Raises TokenRefusal when something does not match.

        Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (``tid``, ``aud``, ``oid``,
        ``idtyp``; in tokens of applications ``sub`` is the same as ``oid``).
        """
        if str(claims.get("tid", "")).lower() != self.tenant_id.lower():
            raise TokenRefusal("tenant", claims.get("tid", ""))
        audience = claims.get("aud")
        if not isinstance(audience, str) or audience.rstrip("/") != self.resource.rstrip("/"):
            raise TokenRefusal("audience", audience)
        principal = claims.get("oid")
        if claims.get("idtyp", "app") != "app" or not isinstance(principal, str) or claims.get("sub") != principal:
            raise TokenRefusal("person", principal)
        if principal.lower() not in {entry.lower() for entry in entries(self.principals)}:
            raise TokenRefusal("principal", principal)
        return principal


@dataclass(frozen=True)
class KubernetesBinding:
    """A token of a service account, which the API server of its cluster is asked about.

    ``host`` is a host, host and port, or an https address. ``namespaces`` and ``names`` have commas between; empty lists
    are not looked at. ``ca`` is PEM, empty for the machine's own trust store.
    """

    method: ClassVar[str] = "kubernetes-auth"
    title: ClassVar[str] = "Kubernetes Auth"

    host: str = ""
    namespaces: str = ""
    names: str = ""
    audience: str = ""
    ca: str = ""

    @property
    def receiver(self) -> tuple[str, str]:
        """Who is sent the reviewer's token: the address, and the certificates by which it proves that it is that one."""
        return self._base(), self.ca.strip()

    @property
    def review_url(self) -> str:
        """The address of the API server's TokenReview."""
        return f"{self._base()}/apis/authentication.k8s.io/v1/tokenreviews"

    def _base(self) -> str:
        return (self.host if "://" in self.host else f"https://{self.host}").rstrip("/")

    def check(self) -> None:
        """Raise Refused for a binding that cannot work, or lets in every service account of the cluster."""
        _check_address(self._base(), "kubernetesHost")
        _check_certificates(self.ca)
        if not (entries(self.namespaces) or entries(self.names)):
            raise _unbound("allowedNamespaces or allowedNames")

    def account_of(self, name: object, *, shown: bool) -> str:
        """Return the service account with this user name, ``namespace/name``, when it may sign in. Raises TokenRefusal.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens. ``shown``
        says whether the API server vouches for the name.
        """
        match = _SERVICE_ACCOUNT.fullmatch(name) if isinstance(name, str) else None
        if match is None:
            raise TokenRefusal("service-account", name if shown else "")
        namespace, account = match.groups()
        for reason, allowed, value in (
            ("namespace", entries(self.namespaces), namespace),
            ("service-account", entries(self.names), account),
        ):
            if allowed and value not in allowed:
                raise TokenRefusal(reason, value if shown else "")
        return f"{namespace}/{account}"


METHODS: Mapping[str, type[Any]] = {kind.method: kind for kind in (KubernetesBinding, AzureBinding, OidcBinding)}
"""The bindings by the names that methods have in paths and in ``authMethods``."""


def entries(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas between, without blanks around them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def matches(pattern: str, text: str) -> bool:
    """Say whether the whole text fits: ``*`` stands for anything without a slash, ``**`` for anything, ``?`` for one sign.

    So ``repo:acme/*`` does not reach into another owner's name, and everything else stands for itself.
    """
    parts = _STARS.split(pattern)
    signs = [sign for part in parts for sign in ([part[:2]] if part.startswith("*") else part)]
    if len(text) > _LONGEST_MATCH:
        return False
    # All ways to match are followed at once: trying them one after the other takes time without bound.
    places = _past_stars({0}, signs)
    for letter in text:
        stays = {place for place in places if place < len(signs) and _stays(signs[place], letter)}
        moves = {place + 1 for place in places if place < len(signs) and _moves(signs[place], letter)}
        places = _past_stars(stays | moves, signs)
    return len(signs) in places


def _stays(sign: str, letter: str) -> bool:
    return sign == "**" or (sign == "*" and letter != "/")


def _moves(sign: str, letter: str) -> bool:
    return sign == letter if sign not in {"*", "**", "?"} else sign == "?" and letter != "/"


def _past_stars(places: set[int], signs: list[str]) -> set[int]:
    """Add the places behind stars, which may stand for nothing."""
    reached = set(places)
    for place in places:
        behind = place
        while behind < len(signs) and signs[behind].startswith("*"):
            behind += 1
            reached.add(behind)
    return reached


def _require_one(patterns: tuple[str, ...], value: object, reason: str) -> None:
    """Raise TokenRefusal unless the claim, or one entry of it when it is a list, fits one of the patterns, if there are any."""
    if not patterns:
        return
    values = value if isinstance(value, list) else [value]
    texts = [_text(each) for each in values]
    if not any(text is not None and matches(pattern, text) for text in texts for pattern in patterns):
        raise TokenRefusal(reason, ", ".join(text for text in texts if text is not None))


def _text(value: object) -> str | None:
    """Return a claim as a pattern is written for it; None for what no pattern can mean."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def _check_address(url: str, name: str) -> None:
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
        parts = urlsplit("")
    if not plain or "@" in parts.netloc or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise _invalid(f"'{url[:_SHOWN]}' is not an address that begins with https://.", f"Correct {name}.", name)


def _check_patterns(*patterns: str) -> None:
    for pattern in patterns:
        if len(_STARS.findall(pattern)) > _MOST_STARS:
            raise _invalid(
                f"A pattern has more than {_MOST_STARS} stars: '{pattern[:_SHOWN]}'.",
                "Write out what is known of the value.",
            )


def _check_certificates(pem: str) -> None:
    if not pem:
        return
    from cryptography import x509  # noqa: PLC0415 - only for those who give certificates

    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise _invalid(
            "The CA certificate is not a certificate in PEM form.",
            "Paste it whole, from BEGIN to END CERTIFICATE.",
            "caCert",
        ) from error


def _invalid(message: str, fix: str, field: str = "") -> Refused:
    return Refused(message, code="access.binding_invalid", fix=fix, field=field or None)


def _unbound(names: str) -> Refused:
    return Refused(
        "Nothing says whose tokens may sign in: every token of this issuer would do.",
        code="access.binding_open",
        fix=f"Set {names}.",
        field=names.split(" ", maxsplit=1)[0].rstrip(","),
    )
