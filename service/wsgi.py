"""The application that servers load: everything read from the environment and started.

environ -> Settings -> ModelRegistry, Metrics -> create_app -> application
"""

import gc

from service.app import create_app
from service.config import Settings
from service.metrics import Metrics, shared_folder
from service.registry import ModelRegistry

settings = Settings.from_env()
metrics = Metrics()
models = ModelRegistry(settings.models_dir, settings.default_model, on_failure=metrics.model_refused)
models.refresh()
application = create_app(settings, models, metrics)
gc.freeze()  # the collector would write to every object, and so un-share the memory after a fork


def start_worker(slot: int) -> None:
    """Begin what each process does that answers: threads and gauges do not survive a fork.

    slot: its place among the workers.
    """
    models.on_load = metrics.model_changed
    models.reports = slot == 0
    models.refresh()  # files may have changed since the master looked
    metrics.announce(models.all())
    models.watch(settings.reload_seconds)


if not shared_folder():  # no server with several workers
    start_worker(0)
