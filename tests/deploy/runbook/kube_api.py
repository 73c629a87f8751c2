"""The HTTP side of the cluster on paper: discovery, objects, logs, proxy, as kubectl asks for them.

kubectl -> GET, POST, PATCH, DELETE -> Cluster -> JSON
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import yaml

from tests.deploy.runbook.cluster import KINDS, Cluster

GROUPS = {
    "v1": ("pods", "services", "configmaps", "events"),
    "apps/v1": ("deployments", "replicasets"),
    "batch/v1": ("jobs", "cronjobs"),
    "autoscaling/v2": ("horizontalpodautoscalers",),
    "monitoring.coreos.com/v1": ("servicemonitors", "podmonitors"),
    "metrics.k8s.io/v1beta1": ("pods",),
}
SHORT = {"horizontalpodautoscalers": ["hpa"], "deployments": ["deploy"], "pods": ["po"]}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
Reply = dict[str, Any] | str


def discovery(path: str) -> Reply | None:
    """Return what kinds there are; None if the path asks for something else."""
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/version":
        return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
    if path == "/apis":
        groups = []
        for name in GROUPS:
            group, _, version = name.rpartition("/")
            if group:
                known = {"groupVersion": name, "version": version}
                groups.append({"name": group, "versions": [known], "preferredVersion": known})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    group = path.removeprefix("/apis/").removeprefix("/api/")
    if group in GROUPS:
        entries = [
            {
                "name": name,
                "singularName": KINDS[name].lower(),
                "namespaced": True,
                "verbs": VERBS,
                "shortNames": SHORT.get(name, []),
            }
            | {"kind": "PodMetrics" if group.startswith("metrics") else KINDS[name]}
            for name in GROUPS[group]
        ]
        if "deployments" in GROUPS[group]:
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            entries.append(
                {"name": "deployments/scale", "singularName": "", "namespaced": True, "verbs": VERBS, **scale}
            )
        return {"kind": "APIResourceList", "groupVersion": group, "resources": entries}
    if path == "/openapi/v3":
        return {"paths": {f"apis/{group}": {"serverRelativeURL": f"/openapi/v3/{group}"} for group in GROUPS}}
    if path.startswith("/openapi/v3/"):
        return _openapi(path.removeprefix("/openapi/v3/"))
    return None


def _openapi(name: str) -> Reply:
    """Return a description that says no more than that the server validates by itself (`fieldValidation`)."""
    group, _, version = name.rpartition("/")
    paths = {}
    for plural in GROUPS[name]:
        kind = {"group": group, "version": version, "kind": KINDS[plural]}
        patch = {
            "parameters": [{"name": "fieldValidation", "in": "query"}],
            "x-kubernetes-group-version-kind": kind,
        }
        paths[f"/apis/{name}/namespaces/{{namespace}}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "", "version": ""}, "paths": paths}


def _fields(content: bytes) -> dict[int, bytes]:
    """Return the last length-delimited field of each number in a protobuf message."""
    fields: dict[int, bytes] = {}
    position = 0

    def varint() -> int:
        nonlocal position
        value, shift = 0, 0
        while True:
            byte = content[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while position < len(content):
        number, kind = divmod(varint(), 8)
        if kind == 2:
            size = varint()
            fields[number] = content[position : position + size]
            position += size
        else:
            assert kind == 0, f"wire type {kind}"
            varint()
    return fields


def job_of_a_form(cluster: Cluster, content: bytes) -> Any:
    """Return the Job of `kubectl create job --from`, which kubectl sends as protobuf: a form's, under a name.

    k8s.io/api/batch/v1 Job: metadata is 1, in it name 1 and ownerReferences 13, whose name is 3.
    """
    metadata = _fields(_fields(_fields(content.removeprefix(b"k8s\0"))[2])[1])
    form = cluster.objects["cronjobs", _fields(metadata[13])[3].decode()]
    own = {"name": metadata[1].decode(), "namespace": form["metadata"]["namespace"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": own,
        "spec": form["spec"]["jobTemplate"]["spec"],
    }


def answer(cluster: Cluster, method: str, path: str, query: dict[str, list[str]], body: Any) -> Reply:
    """Return the answer to a request; raises LookupError for what is not there."""
    found = discovery(path)
    if found is not None:
        return found
    head, _, rest = path.partition("/namespaces/")
    group = head.removeprefix("/apis/").removeprefix("/api/")
    _, plural, *more = rest.split("/")
    if plural not in GROUPS[group]:
        raise LookupError(plural)
    if group.startswith("metrics"):
        usage = [{"name": "service", "usage": {"cpu": "250m", "memory": "128Mi"}}]
        pods = [{"metadata": one["metadata"], "containers": usage} for one in cluster.select("pods", query)]
        return {"kind": "PodMetricsList", "apiVersion": group, "items": pods}
    if not more:
        if method == "POST":
            return cluster.create(plural, body)
        kind = {"kind": f"{KINDS[plural]}List", "apiVersion": group, "metadata": {"resourceVersion": "1"}}
        return kind | {"items": cluster.select(plural, query)}
    name, *sub = more
    if sub[:1] == ["proxy"]:
        answered = requests.get(f"{cluster.server.url}/{'/'.join(sub[1:])}", timeout=30)
        answered.raise_for_status()
        cluster.objects[plural, name.partition(":")[0]]  # proxied to something that exists
        return answered.text
    one = cluster.objects[plural, name]
    if sub == ["log"]:
        return cluster.log(name)
    if sub == ["scale"]:
        if method == "PATCH":
            one = cluster.patch(plural, name, body)
        replicas = {"replicas": one["spec"]["replicas"]}
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": one["metadata"],
            "spec": replicas,
            "status": replicas,
        }
    if method == "PATCH":
        return cluster.patch(plural, name, body)
    return cluster.delete(plural, name) if method == "DELETE" else one


@contextlib.contextmanager
def kubectl_environment(cluster: Cluster, folder: Path) -> Iterator[dict[str, str]]:
    """Serve a cluster; yields the variables with which kubectl finds it."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "watch" in query:  # nothing changes by itself
                self.send_response(200)
                self.send_header("Connection", "close")
                self.end_headers()
                ended.wait(30)
                self.close_connection = True
                return
            try:
                if content.startswith(b"k8s\0"):
                    body = job_of_a_form(cluster, content)
                else:
                    body = json.loads(content or "null")
                reply = answer(cluster, self.command, parts.path, query, body)
                status = 200
            except LookupError:
                status = 404
                reply = {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "status": "Failure",
                    "reason": "NotFound",
                    "code": 404,
                }
                reply["message"] = f"{parts.path} not found"
            text = reply if isinstance(reply, str) else json.dumps(reply)
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(reply, str) else "application/json")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = do_DELETE = respond

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = folder / "kubeconfig"
    entry = {"server": f"http://127.0.0.1:{server.server_port}"}
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "it", "cluster": entry}],
                "contexts": [context],
                "users": [{"name": "it", "user": {}}],
                "current-context": "it",
            }
        )
    )
    try:
        yield {"KUBECONFIG": str(config), "HOME": str(folder)}
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
