"""What the name and the dates of a secret tell of what made it."""

from datetime import UTC, datetime, timedelta

import pytest

from keyturn.credentials.domain import marker
from keyturn.rotations.secret_rotations.other_writers import probable_writer

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
A_WHILE, YEAR, TWO_YEARS = timedelta(days=63), timedelta(days=365), timedelta(days=731)


@pytest.mark.parametrize(
    ("name", "life", "writer", "dangerous"),
    [
        ("vault-5a9e5ad3-3a1f-4a5e-9a49-2a4f5b2c9d10", A_WHILE, "HashiCorp Vault (`rotate-root`)", True),
        ("vault-plugin-secrets-azure", A_WHILE, "HashiCorp Vault", False),
        ("boundary-rotated-2026-03-02T09:30:00Z", A_WHILE, "HashiCorp Boundary", False),
        ("Managed by Terraform", A_WHILE, "Terraform", False),
        ("Rotated by INFISICAL 2026-03-02", A_WHILE, "Infisical", False),
        ("rbac", YEAR, "the Azure CLI (`az ad sp create-for-rbac`)", True),
        ("Password uploaded on Mon Mar 02 2026", A_WHILE, "a person in the portal", False),
        (
            marker("shop", 3, "x1"),
            A_WHILE,
            "another Keyturn server, or by this one before its database was restored",
            False,
        ),
        (None, YEAR, "the Azure CLI (`az ad app credential reset`)", True),
        ("", YEAR, "the Azure CLI (`az ad app credential reset`)", True),
        (None, TWO_YEARS, "a script or Terraform, without a name and for the usual two years", False),
        # What tells nothing: a name of a person's choice, another time to live, no dates.
        (None, A_WHILE, None, False),
        (None, None, None, False),
        ("vault", A_WHILE, None, False),
        ("rbac of the shop", YEAR, None, False),
        ("made by hand", YEAR, None, False),
    ],
)
def test_a_name_or_dates_tell_what_probably_made_it(
    name: str | None, life: timedelta | None, writer: str | None, dangerous: bool
) -> None:
    found = probable_writer(name, START, START + life if life else None)
    assert (found.name if found else None, bool(found and found.danger)) == (writer, dangerous)
