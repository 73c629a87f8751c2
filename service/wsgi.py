"""The application that servers load: everything read from the environment and started.

environ -> Settings -> ModelRegistry, Metrics -> create_app -> application
"""

import gc
import logging
from collections.abc import Callable

from service import __version__
from service.app import create_app
from service.config import Settings
from service.metrics import Metrics, forget_worker, set_worker_slot, shared_folder
from service.process_metrics import ExitSignals
from service.registry import ModelRegistry

settings = Settings.from_env()
metrics = Metrics()
models = ModelRegistry(settings.models_dir, settings.default_model, on_failure=metrics.model_load_failed)
models.refresh()
metrics.process.expect_workers()
exit_signals = ExitSignals()
logging.getLogger("gunicorn.error").addFilter(exit_signals)
application = create_app(settings, models, metrics)
gc.freeze()  # the garbage collector would write to every object, and un-share the memory after a fork


def start_worker(slot: int, is_first: Callable[[], bool]) -> None:
    """Start what each worker needs for itself: threads and gauges do not survive a fork.

    slot: its place among the workers. is_first: whether it is the first of the running workers; after a
    reload (SIGHUP) that is a different one.
    """
    set_worker_slot(slot)
    metrics.process.start(settings, is_first, __version__)
    application.tracing.start(settings, __version__)
    models.on_load, models.on_refused = metrics.model_changed, metrics.model_file_refused
    models.reports = is_first
    models.refresh()  # files may have changed since the master loaded them
    metrics.announce(models.all(), models.refused)
    models.watch(settings.reload_seconds)


def end_worker(slot: int, process: int, has_died: bool) -> None:
    """Count a worker that ended, and drop its gauges; called in the master.

    has_died: whether it died instead of shutting down.
    """
    forget_worker(slot)
    metrics.process.worker_ended(has_died, exit_signals.pop(process))


if not shared_folder():  # the server has no workers
    start_worker(0, lambda: True)
