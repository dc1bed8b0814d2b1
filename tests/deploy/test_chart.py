"""The chart, rendered by helm: what security asks of pods, what Kubernetes understands, and what belongs together.

helm is the one on the path, or is built by Go into ``build/clients``, which takes minutes: ``make clients`` does it. What is
rendered is read by Kubernetes' own types, in which a word that they do not know is a fault.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from keyturn.settings.table import SETTINGS
from tests.deploy.go_programs import built, checked, downloaded
from tests.deploy.test_chart_values import CHART, ROOT, WITH_POSTGRESQL, WRONG

pytestmark = [pytest.mark.client, pytest.mark.compiled, pytest.mark.timeout(1500)]

TYPES = Path(__file__).parent / "kubernetes"
EXAMPLES = sorted(path.name for path in (CHART / "ci").glob("*.yaml"))
Objects = list[dict[str, Any]]
DEFINED = {
    "github.com/prometheus-operator/prometheus-operator@v0.94.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "sigs.k8s.io/gateway-api@v1.6.3": ("config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",),
}
"""The files of Go modules that define custom resources of others; they are fetched, and never kept here."""
WRONG_CUSTOM: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "a monitor without a selector": ("ServiceMonitor", ("selector",), "all"),
    "a pace that is none": ("ServiceMonitor", ("endpoints", 0, "interval"), "often"),
    "a word that does not exist": ("ServiceMonitor", ("endpoints", 0, "intervall"), "30s"),
    "a rule without an expression": ("PrometheusRule", ("groups", 0, "rules", 0), {"alert": "Some"}),
    "a route with a host that is none": ("HTTPRoute", ("hostnames",), ["not a host"]),
    "a time that is none": ("HTTPRoute", ("rules", 0, "timeouts", "request"), "never"),
}


@pytest.fixture(scope="module")
def helm() -> str:
    return shutil.which("helm") or built("helm", "helm.sh/helm/v3/cmd/helm", at=TYPES)


@pytest.fixture(scope="module")
def render(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], Any]:
    """Render the chart with these values (or the name of an example): the objects, or what helm complains of."""
    folder = tmp_path_factory.mktemp("values")

    def rendered(values: Any) -> Objects | str:
        path = CHART / "ci" / values if isinstance(values, str) else folder / "values.yaml"
        if not isinstance(values, str):
            path.write_text(yaml.safe_dump(values))
        command = [helm, "template", "keyturn", str(CHART), "--kube-version", "1.34.0", "--values", str(path)]
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            return done.stderr
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    return rendered


@pytest.fixture(scope="module")
def definitions() -> list[str]:
    """Return the files that define the custom resources of the chart, as their own projects publish them."""
    paths = []
    for module, files in DEFINED.items():
        folder = downloaded(module)
        paths += [str(folder / file) for file in files]
    return paths


@pytest.mark.parametrize("wrong", WRONG_CUSTOM)
def test_a_custom_resource_that_its_project_would_refuse_is_noticed(
    wrong: str, render: Any, definitions: list[str]
) -> None:
    """Else a check by definitions that cannot fail would say nothing of the examples above."""
    kind, path, value = WRONG_CUSTOM[wrong]
    spoilt = of_kind(render("postgresql-values.yaml") + render("embedded-values.yaml"), kind)[0]
    place = spoilt["spec"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    complaint = checked(
        built("kubernetes-types", ".", at=TYPES), *definitions, stdin=yaml.safe_dump(spoilt), fails=True
    )
    assert str(path[-1]) in complaint


def of_kind(objects: Objects, kind: str) -> Objects:
    return [each for each in objects if each["kind"] == kind]


def pods(objects: Objects) -> dict[str, dict[str, Any]]:
    """Return the specifications of all pods, by the names of what makes them."""
    specs = ((each["metadata"]["name"], each.get("spec", {})) for each in objects)
    jobs = ((name, spec.get("jobTemplate", {}).get("spec", spec)) for name, spec in specs)
    return {name: spec["template"]["spec"] for name, spec in jobs if "template" in spec}


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_is_sound_for_security_and_for_kubernetes(
    example: str, render: Any, helm: str, definitions: list[str]
) -> None:
    objects = render(example)
    assert not isinstance(objects, str), objects
    specs = pods(objects)
    assert specs
    for spec in specs.values():
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "limits" in container.get("resources", {"limits": {}})
            written = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
            assert written == {"/data", "/tmp"} | ({"/backups"} if container["name"] == "backup" else set())
            assert not [each for each in container["env"] if "valueFrom" in each], "secrets are files"
            names = {setting.name for setting in SETTINGS} | {f"{each.name}_FILE" for each in SETTINGS if each.secret}
            assert {each["name"] for each in container["env"]} <= names
    lint = subprocess.run([helm, "lint", "--strict", str(CHART), "--values", str(CHART / "ci" / example)], check=False)
    assert lint.returncode == 0
    types = built("kubernetes-types", ".", at=TYPES)
    text = yaml.safe_dump_all(objects)
    checked(types, *definitions, stdin=text)


def test_probes_and_selectors_reach_what_they_are_for(render: Any) -> None:
    objects = render("postgresql-values.yaml")
    for name in ("keyturn", "keyturn-worker"):
        [container] = pods(objects)[name]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports["health"] == 8081
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"), ("startupProbe", "/healthz")):
            assert container[probe]["httpGet"] == {"path": path, "port": "health"}
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in objects
        if "template" in each.get("spec", {})
    }
    selectors = {each["metadata"]["name"]: each["spec"]["selector"] for each in of_kind(objects, "Service")}
    assert chosen(selectors["keyturn"], labels) == {"keyturn"}
    assert {"keyturn", "keyturn-worker"} <= chosen(selectors["keyturn-metrics"], labels)
    budgets = of_kind(objects, "PodDisruptionBudget")
    assert [chosen(each["spec"]["selector"]["matchLabels"], labels) for each in budgets] == [
        {"keyturn"},
        {"keyturn-worker"},
    ]
    [monitor] = of_kind(objects, "ServiceMonitor")
    assert monitor["spec"]["endpoints"][0]["authorization"]["credentials"] == {
        "name": "keyturn-metrics",
        "key": "token",
    }
    [policy] = of_kind(objects, "NetworkPolicy")
    assert chosen(policy["spec"]["podSelector"]["matchLabels"], labels) == set(labels)
    [rule] = of_kind(objects, "PrometheusRule")
    told = yaml.safe_load((ROOT / "deploy" / "monitoring" / "keyturn-alerts.yaml").read_text())
    assert rule["spec"] == told
    [backup], [claim] = of_kind(objects, "CronJob"), of_kind(objects, "PersistentVolumeClaim")
    made_by = pods([backup])["keyturn-backup"]
    given = {each["name"]: each["value"] for each in made_by["containers"][0]["env"]}
    assert (given["KEYTURN_BACKUP_DIR"], given["KEYTURN_BACKUP_KEEP"]) == ("/backups", "14")
    assert given["KEYTURN_BACKUP_PUBLIC_KEYS"].startswith("age1")
    assert given["KEYTURN_BACKUP_HOURS"] == "24"
    assert made_by["serviceAccountName"] == pods(objects)["keyturn"]["serviceAccountName"] == "keyturn"
    assert made_by["containers"][0]["args"] == ["backup", "create"]
    assert [each["persistentVolumeClaim"]["claimName"] for each in made_by["volumes"] if each["name"] == "backups"] == [
        claim["metadata"]["name"]
    ]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    [job] = of_kind(objects, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["migrate"]


def chosen(selector: dict[str, str], labels: dict[str, dict[str, str]]) -> set[str]:
    return {name for name, has in labels.items() if selector.items() <= has.items()}


def test_values_reach_the_pods_as_they_were_given(render: Any) -> None:
    many = {"KEYTURN_MAX_WAITERS": 1000000, "KEYTURN_OAUTH_BARE_CODES": True, "KEYTURN_LOG_LEVEL": 'a"b'}
    [container] = pods(render({"settings": many}))["keyturn"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert (
        given.items()
        >= {
            "KEYTURN_MAX_WAITERS": "1000000",
            "KEYTURN_OAUTH_BARE_CODES": "true",
            "KEYTURN_LOG_LEVEL": 'a"b',
        }.items()
    )
    objects = render({})
    [claim] = of_kind(objects, "StatefulSet")[0]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"] == {"storage": "8Gi"}
    assert of_kind(objects, "Job") == []


@pytest.mark.parametrize("what", WRONG)
def test_helm_refuses_wrong_values(what: str, render: Any) -> None:
    complaint = render(WRONG[what])
    assert isinstance(complaint, str), "it was rendered"
    assert "values don't meet the specifications of the schema" in complaint
    assert "hunter2" not in complaint


def test_postgresql_is_rendered_with_the_least_that_it_needs(render: Any) -> None:
    assert of_kind(render(WITH_POSTGRESQL), "Deployment")
