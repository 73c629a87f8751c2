"""Prometheus metrics of requests, predictions, refusals and models, correct across all workers.

    request, prediction -> counters and histograms -> (files shared by the workers) -> text

Each of several workers writes its own memory-mapped files in PROMETHEUS_MULTIPROC_DIR.
`service.server.gunicorn_conf` sets the variable, before prometheus_client is imported. The files are named
after the worker's slot, not its process, so a new worker continues the counts of the one it replaces. If they
were named after processes, each dead worker would leave 48 KiB in a /tmp of 32 MiB and add 5 ms to every
scrape.
"""

import os
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service.model.classifier import Classifier, Prediction
from service.process_metrics import ProcessMetrics

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

READ_AGAIN = 5  # times, if a worker's file is still empty
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
OTHER = "other"  # the label value for everything that clients make up
# Why requests are refused. All are exported as 0 from the start, so that rates include the first event.
REFUSAL_REASONS = (
    "overloaded", "no-memory", "no-model", "request-timeout", "request-entity-too-large", "too-many-pixels",
    "too-many-images",
)  # fmt: skip

# From half a millisecond (a small picture) to ten seconds (a large one on a busy machine).
DURATION_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
CONFIDENCE_BUCKETS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)

_slot = "master"


def set_worker_slot(slot: int) -> None:
    """Name this process's metric files after its place among the workers; called after the fork."""
    global _slot  # noqa: PLW0603 - prometheus_client calls a function without arguments
    _slot = str(slot)


def forget_worker(slot: int | str) -> None:
    """Drop the gauges of a worker that ended; the worker that replaces it continues its counters."""
    mark_process_dead(slot)


if MULTIPROCESS_VARIABLE in os.environ:
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: _slot)


def shared_folder() -> Path | None:
    """Return the folder that the workers share, or None if there is only one process."""
    folder = os.environ.get(MULTIPROCESS_VARIABLE)
    return Path(folder) if folder else None


def trained_timestamp(training: Mapping[str, Any]) -> float:
    """Return the start of the day on which a model was trained, in Unix time; 0 if its file does not say."""
    try:
        day = datetime.fromisoformat(training["trained_on"])
    except (KeyError, TypeError, ValueError):
        return 0.0
    return day.replace(tzinfo=UTC).timestamp()


class Metrics:
    """All collectors of the service; a test passes its own registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.requests = Counter(
            "http_requests_total",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_duration = Histogram(
            "http_request_duration_seconds",
            "Time from the complete head of a request to its answer.",
            ["method", "route"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.request_queue = Histogram(
            "http_request_queue_seconds",
            "Time that an image waited for its turn, for requests with one image.",
            ["route"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.requests_refused = Counter(
            "digits_requests_refused_total",
            "Requests refused because they were too large or too slow, or the service was full, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.requests_in_flight = Gauge(
            "http_requests_in_flight",
            "HTTP requests that have been accepted and are not answered yet.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.requests_waiting = Gauge(
            "http_requests_waiting",
            "Images that wait for their turn; the requests that brought them are in flight.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.preprocessing_duration = Histogram(
            "digits_preprocessing_duration_seconds",
            "Time from the bytes of an image to the pixels a network sees.",
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.inference_duration = Histogram(
            "digits_inference_duration_seconds",
            "Time of one forward pass, over all images that are classified together.",
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.predictions = Counter(
            "digits_predictions_total",
            "Predictions by model and digit.",
            ["model", "digit"],
            registry=self.registry,
        )
        self.not_accepted = Counter(
            "digits_predictions_not_accepted_total",
            "Predictions for pictures that do not look like a digit.",
            ["model"],
            registry=self.registry,
        )
        self.confidence = Histogram(
            "digits_prediction_confidence_ratio",
            "Confidence of the predictions.",
            ["model"],
            buckets=CONFIDENCE_BUCKETS,
            registry=self.registry,
        )
        self.rejections = Counter(
            "digits_image_rejections_total",
            "Images that got no prediction, by problem.",
            ["reason"],
            registry=self.registry,
        )
        self.model_info = Gauge(
            "digits_model_info",
            "1 for each version of a model that a worker serves.",
            ["model", "version"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.model_loaded = Gauge(
            "digits_model_loaded_timestamp_seconds",
            "When the model served now was loaded.",
            ["model"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.model_trained = Gauge(
            "digits_model_trained_timestamp_seconds",
            "When the model served now was trained: the first second of that day, UTC.",
            ["model"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.model_load_failures = Counter(
            "digits_model_load_failures_total",
            "Model files that were refused.",
            ["model"],
            registry=self.registry,
        )
        self.model_refused = Gauge(
            "digits_model_refused",
            "1 while the file of a model is refused.",
            ["model"],
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.process = ProcessMetrics(self.registry)
        self._versions: dict[str, str] = {}
        # Looking up a label's child takes longer than counting, so the children in use are kept here.
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram, Histogram]] = {}
        self._predicted: dict[tuple[str, int], Counter] = {}
        self._confidence: dict[str, Histogram] = {}

    def request_answered(
        self, method: str, route: str | None, status: int, seconds: float, queue_seconds: float | None
    ) -> None:
        """Count one request.

        route: the rule that matched it, None for none. queue_seconds: how long its image waited, if it
        has one.
        """
        key = (method if method in METHODS else OTHER, route or OTHER, status)
        children = self._answered.get(key)
        if children is None:
            method, route, status = key
            children = self._answered[key] = (
                self.requests.labels(method, route, str(status)),
                self.request_duration.labels(method, route),
                self.request_queue.labels(route),
            )
        counter, duration, queue = children
        counter.inc()
        duration.observe(seconds)
        if queue_seconds is not None:
            queue.observe(queue_seconds)

    def predicted(self, model: str, predictions: Sequence[Prediction]) -> None:
        """Count predictions, at least one."""
        if model not in self._confidence:
            self._confidence[model] = self.confidence.labels(model)
        observe = self._confidence[model].observe
        for prediction in predictions:
            observe(prediction.confidence)
            key = (model, prediction.digit)
            if key not in self._predicted:
                self._predicted[key] = self.predictions.labels(model, str(prediction.digit))
            self._predicted[key].inc()
            if not prediction.accepted:
                self.not_accepted.labels(model).inc()

    def image_rejected(self, reason: str) -> None:
        """Count an image that got no prediction; reason: the name of its problem."""
        self.rejections.labels(reason).inc()

    def model_changed(self, model: str, classifier: Classifier | None) -> None:
        """Note that a model was loaded, replaced, or (None) removed."""
        if model in self._versions:
            self.model_info.labels(model, self._versions.pop(model)).set(0)
        if classifier:
            self._versions[model] = classifier.artifact.version
            self.model_info.labels(model, classifier.artifact.version).set(1)
            self.model_loaded.labels(model).set(time.time())
            self.model_trained.labels(model).set(trained_timestamp(classifier.artifact.metadata["training"]))
            self.not_accepted.labels(model)
            for digit in range(10):  # 0 from the start, so that rates include the first event
                self.predictions.labels(model, str(digit))

    def announce(self, classifiers: Mapping[str, Classifier], refused: Iterable[str] = ()) -> None:
        """Set the gauges of models served and refused; those that the master set do not survive the fork."""
        for reason in REFUSAL_REASONS:
            self.requests_refused.labels(reason)
        for name in refused:
            self.model_file_refused(name, True)
        self._versions.clear()
        for name, classifier in classifiers.items():
            self.model_changed(name, classifier)

    def model_load_failed(self, model: str) -> None:
        """Count a model file that could not be used."""
        self.model_load_failures.labels(model).inc()

    def model_file_refused(self, model: str, refused: bool) -> None:
        """Note that the file of a model is refused, or no longer is because it was replaced or removed."""
        self.model_refused.labels(model).set(refused)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the exposition and its content type, summed over all workers.

        accept: a request's header. The format is Prometheus's text, or OpenMetrics if the header prefers it.
        """
        encode, content_type = choose_encoder(",".join(filter(_is_known_version, accept.split(","))))
        folder = shared_folder()
        if not folder:
            return encode(self.registry), content_type
        registry = CollectorRegistry(support_collectors_without_names=True)
        MultiProcessCollector(registry, path=str(folder))
        for _ in range(READ_AGAIN):
            try:
                return encode(registry), content_type
            except struct.error:  # a starting worker has created its file but not written to it yet
                time.sleep(0.01)
        return encode(registry), content_type


def _is_known_version(media_range: str) -> bool:
    """Return whether a media range names no version of a format, or a version that exists.

    choose_encoder raises for versions that are not numbers, and echoes those that it does not know.
    """
    version = [each.strip() for each in media_range.split(";") if each.strip().startswith("version")]
    return version in ([], ["version=1.0.0"])
