"""The blocks of commands in the documents, and what runs each: a walk through its page, another test, or for a reason nothing."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_CALLS_AZ = re.compile(r"^ *(?:\w+=\$\()?az ", re.MULTILINE)

WALKS = (
    "docs/tutorial/second-application.md",
    "docs/tutorial/first-rotation.md",
    "docs/how-to/rotate-an-application.md",
    "docs/how-to/connect-a-real-tenant.md",
    "docs/how-to/what-to-do-when.md",
    "docs/how-to/see-all-secrets-of-a-tenant.md",
    "docs/how-to/be-told-of-changes.md",
    "docs/how-to/terraform.md",
    "docs/how-to/run-behind-a-proxy.md",
    "docs/how-to/give-secrets-to-a-program.md",
    "docs/how-to/rotate-encryption-keys.md",
    "docs/how-to/keep-the-root-key-in-key-vault.md",
)
"""Pages whose blocks are run one after the other in a shell, in this order, against one server: tests/docs/test_walks.py."""

OTHER_TESTS: dict[str, str] = {
    "docs/how-to/backup-and-restore.md": "tests/features/backup/test_backup.py",
    "docs/how-to/prove-what-was-done.md": "tests/features/boot/test_cli.py",
    "docs/how-to/monitor-with-prometheus.md": "tests/features/monitoring/test_how_to.py",
    "docs/how-to/ship-logs.md": "tests/features/monitoring/test_how_to.py",
    "docs/how-to/manage-people.md": "tests/features/accounts/test_admin_command.py",
    "docs/how-to/provision-with-scim.md": "tests/features/accounts/test_admin_command.py",
    "docs/how-to/sign-in-through-entra.md": "tests/features/accounts/test_entra_sign_in.py",
    "docs/how-to/test-against-the-emulator.md": "tests/emulator/test_how_to.py",
    "docs/how-to/keep-files-as-the-secrets-are.md": "tests/features/client",
    "docs/how-to/import-from-infisical.md": "tests/features/importing/test_import.py",
    "docs/how-to/connect-without-a-secret.md": "tests/features/methods/test_secretless_command.py",
    "docs/how-to/freeze-changes.md": "tests/features/rotations/test_freezes.py",
    "docs/how-to/upgrade.md": "tests/migration/test_upgrade.py",
}
"""Pages whose commands another test runs, with the arguments that it chooses."""

AZ = "tests/emulator/test_with_az.py"
"""Plays every block that calls az, of all pages, in one shell."""

NOT_RUN: dict[tuple[str, str], str] = {
    ("README.md", "make demo"): "CI runs both; a test inside of them would run itself",
    (
        "README.md",
        "make setup",
    ): "what the test that asks this was started by; serve and bootstrap: tests/system/test_first_start.py",
    ("README.md", "admin bootstrap"): "tests/system/test_first_start.py types the same",
    ("docs/tutorial/first-rotation.md", "make demo"): "tests/browser/test_demo.py keeps a demonstration running",
    ("docs/tutorial/second-application.md", "make demo"): "tests/browser/test_demo.py keeps a demonstration running",
    (
        "docs/tutorial/second-application.md",
        "worker/bin/pip",
    ): "installs a package; tests/system/test_infisical_sdk.py runs the SDK",
    (
        "docs/how-to/upgrade.md",
        "before-upgrade.age",
    ): "wants a backup of the version before; tests/features/backup/test_backup.py restores by the same command",
    ("docs/how-to/run-with-postgresql.md", "createuser"): "asks for a password; the tests make their databases by SQL",
    ("docs/how-to/run-with-postgresql.md", "DB_CONNECTION_URI="): "settings, not commands",
    (
        "docs/how-to/run-with-postgresql.md",
        "keyturn migrate",
    ): "tests/features/boot/test_cli.py runs them on PostgreSQL",
    (
        "docs/how-to/run-with-postgresql.md",
        "move.age",
    ): "tests/features/backup/test_backup.py restores each kind of database into each",
    ("docs/how-to/run-with-postgresql.md", "--no-worker"): "go on running; tests/kill starts all three",
    ("docs/how-to/sign-in-without-a-secret.md", "KEYTURN_IDENTITY_NETWORKS"): "a setting, not a command",
    ("docs/how-to/connect-without-a-secret.md", "KEYTURN_TOKEN_SOURCES"): "a setting, not a command",
    (
        "docs/how-to/use-external-secrets.md",
        "kubectl",
    ): "needs a cluster; tests/system runs the requests of the operator",
    ("docs/how-to/use-secrets-in-a-github-job.md", "with-secrets.sh"): "needs a job of GitHub; the script has a test",
    ("docs/how-to/sign-in-from-a-web-application.md", "pip install"): "installs from a registry",
    (
        "docs/how-to/sign-in-from-a-web-application.md",
        "flask",
    ): "goes on running; the application of examples/flask has a test",
    ("docs/how-to/give-secrets-to-a-program.md", "pip install"): "installs from a registry",
    (
        "docs/how-to/give-secrets-to-a-program.md",
        "keyturn run",
    ): "goes on running; tests/system/test_client_commands.py",
    (
        "docs/how-to/keep-the-root-key-in-key-vault.md",
        "az keyvault",
    ): "the local Azure has a vault's keys, not vaults as resources",
    (
        "docs/how-to/be-told-of-changes.md",
        "delivery/events",
    ): "a stream that does not end; tests/system/test_streams.py",
    (
        "docs/how-to/run-as-a-service.md",
        "/opt/keyturn",
    ): "needs systemd at work; tests/docs/test_units.py tries the files",
    ("docs/how-to/run-as-a-service.md", "userdel"): "takes away what was installed by hand",
    (
        "docs/how-to/run-in-a-container.md",
        "make image",
    ): "takes minutes; tests/deploy/test_image.py does it in make clients",
    ("docs/how-to/run-in-a-container.md", "podman run"): "tests/deploy/test_image.py runs it so in make clients",
    (
        "docs/how-to/run-in-a-container.md",
        "docker compose",
    ): "takes images from a registry; tests/deploy/test_compose.py has the file loaded by Compose",
    ("docs/how-to/run-on-kubernetes.md", "keyturn-database"): "needs a cluster",
    ("docs/how-to/run-on-kubernetes.md", "helm --namespace"): "needs a cluster; tests/deploy/test_chart.py renders it",
}
"""Page and a word of the block -> why nothing runs the block as it stands."""


@dataclass(frozen=True)
class CommandBlock:
    page: str
    language: str
    text: str

    @property
    def calls_az(self) -> bool:
        return self.language == "sh" and _CALLS_AZ.search(self.text) is not None

    @property
    def reason(self) -> str:
        """Why it is not run, where that is said."""
        return next((why for (page, word), why in NOT_RUN.items() if page == self.page and word in self.text), "")


def pages() -> list[Path]:
    """The README and all guides, tutorials and explanations."""
    folders = ("tutorial", "how-to", "explanation")
    return [ROOT / "README.md", *(path for name in folders for path in sorted((ROOT / "docs" / name).glob("*.md")))]


def all_blocks() -> list[CommandBlock]:
    return [
        CommandBlock(str(path.relative_to(ROOT)), language, text)
        for path in pages()
        for _, language, text in _BLOCK.findall(path.read_text())
    ]


def command_blocks(page: str | None = None) -> list[CommandBlock]:
    """The blocks that somebody is to type, of one page or of all."""
    return [
        block
        for block in all_blocks()
        if block.language in {"sh", "bash", "console", "azurecli"} and page in {None, block.page}
    ]
