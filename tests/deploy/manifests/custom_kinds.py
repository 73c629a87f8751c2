"""Schemas of the kinds that operators bring to a cluster, which Kubernetes's own schemas do not contain.

object of a custom kind -> complaint, "" for none

Written by hand from what the projects publish, reduced to fields that a manifest of ours may use;
every other field is an error. InferenceService: the Python package kserve 0.21.0, `openapi_types` of
V1beta1InferenceServiceSpec and V1beta1PredictorSpec. ServiceMonitor, PodMonitor and PrometheusRule: the
types of the npm package @kubernetes-models/prometheus-operator 6.0.0. Gateway and HTTPRoute: the definitions
of the Gateway API 1.2, gateway.networking.k8s.io/v1.
"""

import functools
from typing import Any

import jsonschema

from tests.deploy.rendering import Object

STRING, WHOLE, FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
STRINGS = {"type": "object", "additionalProperties": STRING}
DURATION = {"type": "string", "pattern": r"^(\d+(ms|s|m|h|d|w|y))+$"}


def fields(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has these fields and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def several(items: dict[str, Any], least: int = 1) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "minItems": least}


SELECTOR = fields([], matchLabels=STRINGS, matchExpressions=several({"type": "object"}))
ENDPOINT = fields(
    [],
    port=STRING,
    path=STRING,
    scheme={"enum": ["http", "https", "HTTP", "HTTPS"]},
    interval=DURATION,
    scrapeTimeout=DURATION,
    honorLabels=FLAG,
    authorization=fields([], type=STRING, credentials=fields(["key"], name=STRING, key=STRING)),
)
RULE = fields(
    ["expr"],
    alert=STRING,
    record=STRING,
    expr=STRING,
    labels=STRINGS,
    annotations=STRINGS,
    **{"for": DURATION, "keep_firing_for": DURATION},
)
LISTENER = fields(
    ["name", "port", "protocol"],
    name=STRING,
    hostname=STRING,
    port=WHOLE,
    protocol={"enum": ["HTTP", "HTTPS", "TLS", "TCP", "UDP"]},
    tls=fields([], mode={"enum": ["Terminate", "Passthrough"]}, certificateRefs=several(STRINGS)),
    allowedRoutes=fields([], namespaces=fields([], **{"from": {"enum": ["All", "Same", "Selector"]}})),
)
# Durations of the Gateway API, GEP-2257: up to four whole numbers with a unit.
GATEWAY_DURATION = {"type": "string", "pattern": r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"}
PATH_TYPES = {"enum": ["Exact", "PathPrefix", "RegularExpression"]}
ROUTE_RULE = fields(
    [],
    matches=several(fields([], path=fields([], type=PATH_TYPES, value=STRING))),
    backendRefs=several(fields(["name"], name=STRING, port=WHOLE, weight=WHOLE)),
    timeouts=fields([], request=GATEWAY_DURATION, backendRequest=GATEWAY_DURATION),
)
# Fields that an InferenceService has besides those of a pod; we use no models in KServe's own formats.
PREDICTOR = {
    "annotations": STRINGS,
    "canaryTrafficPercent": {"type": "integer", "minimum": 0, "maximum": 100},
    "containerConcurrency": WHOLE,
    "deploymentStrategy": {"type": "object"},
    "labels": STRINGS,
    "maxReplicas": WHOLE,
    "minReplicas": WHOLE,
    "scaleMetric": {"enum": ["cpu", "memory", "concurrency", "rps"]},
    "scaleMetricType": {"enum": ["Utilization", "AverageValue", "Value"]},
    "scaleTarget": WHOLE,
    "timeout": WHOLE,
}
SPECIFICATIONS = {
    ("monitoring.coreos.com/v1", "PodMonitor"): fields(
        ["selector", "podMetricsEndpoints"],
        selector=SELECTOR,
        podMetricsEndpoints=several(ENDPOINT),
        jobLabel=STRING,
        podTargetLabels=several(STRING),
        namespaceSelector=fields([], any=FLAG, matchNames=several(STRING)),
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): fields(
        ["selector", "endpoints"],
        selector=SELECTOR,
        endpoints=several(ENDPOINT),
        jobLabel=STRING,
        podTargetLabels=several(STRING),
        targetLabels=several(STRING),
        namespaceSelector=fields([], any=FLAG, matchNames=several(STRING)),
        sampleLimit=WHOLE,
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): fields(
        ["groups"],
        groups=several(fields(["name", "rules"], name=STRING, interval=DURATION, rules=several(RULE))),
    ),
    ("gateway.networking.k8s.io/v1", "Gateway"): fields(
        ["gatewayClassName", "listeners"], gatewayClassName=STRING, listeners=several(LISTENER)
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): fields(
        [],
        parentRefs=several(fields(["name"], name=STRING, sectionName=STRING, namespace=STRING)),
        hostnames=several(STRING),
        rules=several(ROUTE_RULE),
    ),
    ("serving.kserve.io/v1beta1", "InferenceService"): fields(
        ["predictor"],
        # The rest is a pod's, which Kubernetes's schema checks (tests/deploy/manifests/practices.py).
        predictor={"type": "object", "properties": PREDICTOR, "required": ["containers"]},
    ),
}

CUSTOM_GROUPS = {api_version.partition("/")[0] for api_version, _ in SPECIFICATIONS}


@functools.cache
def validator(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    """Return the validator of a custom kind; raises KeyError for an unknown one."""
    metadata = fields(["name"], name=STRING, namespace=STRING, labels=STRINGS, annotations=STRINGS)
    specification = SPECIFICATIONS[api_version, kind]
    whole = fields(
        ["metadata", "spec"], apiVersion=STRING, kind=STRING, metadata=metadata, spec=specification
    )
    return jsonschema.Draft202012Validator(whole)


def custom_complaint(one: Object) -> str:
    """Return what is wrong with an object of a custom kind, "" for nothing."""
    try:
        errors = validator(one["apiVersion"], one["kind"]).iter_errors(one)
    except KeyError:
        return f"{one['apiVersion']} has no {one['kind']} that is known here"
    first = next(iter(sorted(errors, key=lambda error: list(error.path))), None)
    return f"{'.'.join(map(str, first.path))}: {first.message}" if first else ""


def predicting_pod(one: Object) -> Object:
    """Return the pod that an InferenceService describes, for the checks of pods."""
    predictor = one["spec"]["predictor"]
    pod = {name: value for name, value in predictor.items() if name not in PREDICTOR}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": one["metadata"], "spec": pod}
