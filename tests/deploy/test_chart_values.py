"""What the chart's schema takes and what it refuses. ``make clients`` renders the chart with helm."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from keyturn import __version__
from keyturn.settings.table import SETTINGS

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "keyturn"
WITH_POSTGRESQL: dict[str, Any] = {
    "database": {"type": "postgresql", "existingSecret": "db"},
    "encryptionKey": {"existingSecret": "root"},
}
BACKUP_KEY = f"age1{'q' * 58}"
WRONG: dict[str, dict[str, Any]] = {
    "a word that does not exist": {"replicaCount": 2},
    "a word that does not exist within another": {"server": {"replica": 2}},
    "several pods on the embedded database": {"server": {"replicas": 2}},
    "a worker beside the embedded database": {"worker": {"enabled": True}},
    "no pod that rotates": {"server": {"worker": False}},
    "postgresql without an address": {"database": {"type": "postgresql"}, "encryptionKey": {"existingSecret": "root"}},
    "postgresql without a root key": {"database": {"type": "postgresql", "existingSecret": "db"}},
    "another database": {"database": {"type": "mysql", "existingSecret": "db"}},
    "an address of the database as a value": {"database": {"uri": "postgresql://keyturn:hunter2@db/keyturn"}},
    "a root key among the settings": {"settings": {"ENCRYPTION_KEY": "00112233"}},
    "a password among the settings": {"settings": {"KEYTURN_SMTP_PASSWORD": "hunter2"}},
    "a file of a secret among the settings": {"settings": {"ENCRYPTION_KEY_FILE": "/data/key"}},
    "a port that the chart sets": {"settings": {"PORT": 80}},
    "a secret that is none": {"secretSettings": {"KEYTURN_LOG_LEVEL": {"secretName": "a", "key": "b"}}},
    "a secret without its key": {"secretSettings": {"KEYTURN_METRICS_TOKEN": {"secretName": "a"}}},
    "a value as a secret": {"secretSettings": {"KEYTURN_METRICS_TOKEN": "hunter2"}},
    "the tag latest": {"image": {"tag": "latest"}},
    "half a digest": {"image": {"digest": "sha256:0123"}},
    "an address that is none": {"siteUrl": "keyturn.example.com"},
    "a port beyond all": {"service": {"port": 70000}},
    "a text as a number": {"server": {"replicas": "2"}},
    "no pods": {"server": {"replicas": 0}},
    "an amount that is none": {"server": {"resources": {"limits": {"memory": "much"}}}},
    "a volume for several nodes": {"persistence": {"accessModes": ["ReadWriteMany"]}},
    "an Ingress without a host": {"ingress": {"enabled": True}},
    "backups of the embedded database by a job": {"backups": {"enabled": True, "publicKeys": [BACKUP_KEY]}},
    "backups for nobody": WITH_POSTGRESQL | {"backups": {"enabled": True}},
    "a private key of backups": WITH_POSTGRESQL | {"backups": {"publicKeys": ["AGE-SECRET-KEY-1HUNTER2"]}},
    "a time of backups that is none": {"backups": {"schedule": "daily"}},
    "backups that are never due": {"backups": {"hours": 0}},
    "no backup that is kept": {"backups": {"keep": 0}},
    "a size of backups that is none": {"backups": {"size": "big"}},
    "a route to nowhere": {"gateway": {"enabled": True, "hostnames": ["keyturn.example.com"]}},
    "a pace that is none": {"serviceMonitor": {"interval": "often"}},
    "a root user": {"securityContext": {"runAsUser": 0}},
}


def load(name: str) -> Any:
    return yaml.safe_load((CHART / name).read_text(encoding="utf-8"))


def merged(base: Any, change: Any) -> Any:
    """Return the values as helm puts them together."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return deepcopy(change)
    return base | {name: merged(base.get(name), value) for name, value in change.items()}


@pytest.fixture(scope="module")
def schema() -> Any:
    return jsonschema_rs.validator_for(load("values.schema.json"))


def test_the_defaults_and_each_example_are_taken(schema: Any) -> None:
    examples = sorted((CHART / "ci").glob("*.yaml"))
    assert len(examples) >= 3
    for change in [{}, WITH_POSTGRESQL, *(yaml.safe_load(path.read_text()) for path in examples)]:
        assert [str(error) for error in schema.iter_errors(merged(load("values.yaml"), change))] == []
    by_vault = {"database": WITH_POSTGRESQL["database"], "settings": {"KEYTURN_KEY_VAULT_KEY": "https://v/keys/k"}}
    assert schema.is_valid(merged(load("values.yaml"), by_vault))


@pytest.mark.parametrize("what", WRONG)
def test_wrong_values_are_refused(what: str, schema: Any) -> None:
    assert not schema.is_valid(merged(load("values.yaml"), WRONG[what]))


def test_every_setting_can_be_given_in_its_place_and_no_secret_as_a_value(schema: Any) -> None:
    values = load("values.yaml")
    set_by_chart = {"HOST", "PORT", "SITE_URL", "KEYTURN_DATA_DIR", "KEYTURN_HEALTH_PORT", "KEYTURN_HEALTH_HOST"}
    set_by_chart |= {"KEYTURN_CA_FILE"}
    own_place = {"DB_CONNECTION_URI", "ENCRYPTION_KEY"}
    for setting in SETTINGS:
        plain = merged(values, {"settings": {setting.name: "x"}})
        sealed = merged(values, {"secretSettings": {setting.name: {"secretName": "a", "key": "b"}}})
        assert schema.is_valid(plain) == (not setting.secret and setting.name not in set_by_chart), (
            f"{setting.name}: make docs writes the names of secrets into values.schema.json"
        )
        assert schema.is_valid(sealed) == (setting.secret and setting.name not in own_place), setting.name


def test_the_chart_is_of_this_version_and_has_the_alerts_of_monitoring() -> None:
    chart = load("Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    alerts = CHART / "files" / "keyturn-alerts.yaml"
    assert alerts.resolve() == (ROOT / "deploy" / "monitoring" / "keyturn-alerts.yaml").resolve()
    assert {"groups"} == set(yaml.safe_load(alerts.read_text(encoding="utf-8")))
    named = set(re.findall(r"\.Values\.(\w+)", "".join(path.read_text() for path in CHART.glob("templates/*"))))
    assert named == set(load("values.yaml")), "each value is used, and each that is used has its default"


def test_the_values_of_the_guide_are_taken(schema: Any) -> None:
    page = (ROOT / "docs" / "how-to" / "run-on-kubernetes.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert [str(error) for error in schema.iter_errors(merged(load("values.yaml"), yaml.safe_load(shown)))] == []
    [options] = re.findall(r"helm .* install keyturn deploy/helm/keyturn (.*?)\nkubectl", page, re.DOTALL)
    change: dict[str, Any] = {}
    for path, value in re.findall(r"--set ([\w.]+)=(\S+)", options):
        first, _, second = path.partition(".")
        change[first] = change.get(first, {}) | {second: value} if second else value
    assert len(change) == 3
    assert schema.is_valid(merged(load("values.yaml"), change))
    named = set(re.findall(r"`(\w+)\.\w+(?:=\w+)?`", page))
    assert named <= set(load("values.yaml"))


def test_backups_open_the_root_key_as_the_server_does() -> None:
    """A key vault trusts the server's service account: with another one no backup could be made."""
    assert '"account"' not in (CHART / "templates" / "backup.yaml").read_text()
