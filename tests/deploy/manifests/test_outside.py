"""What is around the service in a cluster: key, Ingress, Gateway, OpenShift, both families of addresses."""

import functools
import json
from typing import Any

import kubernetes_validate
import pytest

from service.config import Settings
from tests.deploy.manifests.custom_kinds import CUSTOM_GROUPS, predicting_pod
from tests.deploy.manifests.settings import environment
from tests.deploy.rendering import Object, find, kustomizations, pods, render, title

VERSIONS = ("1.30", "1.32", "1.34", "1.37")
# A volume of this kind came with 1.31; the component says so.
NEWER = {"1.30": ("canary-image-volume", "model-image-volume")}


@functools.cache
def complaint(text: str, version: str) -> str:
    """Return what a version of Kubernetes says of an object in JSON; the same ones come in many folders."""
    one = json.loads(text)
    if one["kind"] == "InferenceService":
        one = predicting_pod(one)
    elif one["apiVersion"].partition("/")[0] in CUSTOM_GROUPS:
        return ""
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{title(one)}: {error}"
    return ""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_follows_the_schema_of_kubernetes(version: str) -> None:
    folders = [each for each in kustomizations() if not each.endswith(NEWER.get(version, ("nothing",)))]
    texts = {json.dumps(one, sort_keys=True) for folder in folders for one in render(folder)}
    assert len(texts) > 50
    assert [problem for text in sorted(texts) if (problem := complaint(text, version))] == []


def test_a_field_that_a_version_lacks_is_found() -> None:
    (pod,) = pods(render("tests/model-image-volume"))
    assert "image" in complaint(json.dumps(pod.owner), "1.30")


def outside() -> list[Object]:
    return render("tests/outside")


def test_the_key_is_mounted_where_the_setting_looks() -> None:
    (pod,) = pods(outside())
    path = environment(pod, outside())["DIGITS_API_KEY_FILE"]
    (volume,) = [each for each in pod.spec["volumes"] if "secret" in each]
    (mount,) = [each for each in pod.containers[0]["volumeMounts"] if each["name"] == volume["name"]]
    assert path.startswith(f"{mount['mountPath']}/")
    assert mount["readOnly"] is True
    # fsGroup owns the file: a group that may read it is enough, and others may not.
    assert volume["secret"]["defaultMode"] == 0o440
    assert volume["secret"].get("optional") is not True


def test_the_monitor_sends_the_key_that_metrics_need() -> None:
    (pod,) = pods(outside())
    (endpoint,) = find(outside(), "ServiceMonitor")["spec"]["endpoints"]
    (secret,) = [each["secret"]["secretName"] for each in pod.spec["volumes"] if "secret" in each]
    assert environment(pod, outside())["DIGITS_METRICS_OPEN"] == "false"
    assert endpoint["authorization"]["type"] == "Bearer"
    assert endpoint["authorization"]["credentials"]["name"] == secret


def test_the_ingress_leads_to_the_service_with_its_limits() -> None:
    ingress, service = find(outside(), "Ingress"), find(outside(), "Service")
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    assert rule["host"] in ingress["spec"]["tls"][0]["hosts"]
    annotations = {key.rpartition("/")[2]: value for key, value in ingress["metadata"]["annotations"].items()}
    # nginx's m is 1024 * 1024 bytes.
    largest = int(annotations["proxy-body-size"].removesuffix("m")) * 1024 * 1024
    assert largest > Settings().max_upload_bytes
    assert int(annotations["proxy-read-timeout"]) > Settings().graceful_timeout_seconds


def test_the_gateway_and_its_route_lead_to_the_service() -> None:
    objects = render("tests/openshift")
    gateway, route, service = (find(objects, kind) for kind in ("Gateway", "HTTPRoute", "Service"))
    (parent,) = route["spec"]["parentRefs"]
    (listener,) = gateway["spec"]["listeners"]
    assert (parent["name"], parent["sectionName"]) == (gateway["metadata"]["name"], listener["name"])
    assert route["spec"]["hostnames"] == [listener["hostname"]]
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"] in {port["port"] for port in service["spec"]["ports"]}
    seconds = int(route["spec"]["rules"][0]["timeouts"]["request"].removesuffix("s"))
    assert seconds > Settings().graceful_timeout_seconds


def user_ids(value: Any) -> list[str]:
    """Return the fields anywhere in an object that fix a user or a group."""
    if isinstance(value, list):
        return [name for each in value for name in user_ids(each)]
    if not isinstance(value, dict):
        return []
    fixed = [name for name in value if name in ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")]
    return fixed + [name for each in value.values() for name in user_ids(each)]


def test_on_openshift_no_pod_fixes_its_user() -> None:
    objects = render("tests/openshift")
    assert {one["kind"] for one in objects} >= {"Deployment", "CronJob", "Job"}
    assert {title(one): ids for one in objects if (ids := user_ids(one))} == {}
    assert user_ids(render("base"))


def test_with_ipv6_the_service_listens_on_both_families() -> None:
    (pod,) = pods(outside())
    assert Settings.from_env({"HOST": environment(pod, outside())["HOST"]}).host == "::"
    assert find(outside(), "Service")["spec"]["ipFamilyPolicy"] == "PreferDualStack"
