"""The application that gunicorn loads: everything read from the environment and started.

environ -> Settings -> ModelRegistry, Metrics -> create_app -> application
"""

import gc
from collections.abc import Callable

from service.app import create_app
from service.config import Settings
from service.metrics import Metrics, shared_folder
from service.once import Once
from service.registry import ModelRegistry

settings = Settings.from_env()
metrics = Metrics()
models = ModelRegistry(
    settings.models_dir,
    settings.default_model,
    metrics.model_changed,
    metrics.model_refused,
    Once(shared_folder()),
)
models.refresh()
application = create_app(settings, models, metrics)
gc.freeze()  # the collector would write to every object, and so un-share the memory after a fork


def start_worker(draining: Callable[[], bool]) -> None:
    """Begin what only a worker does: threads do not survive the fork.

    draining: tells whether the worker is on its way out.
    """
    application.extensions["draining"] = draining
    models.refresh()  # files may have changed since the master looked
    metrics.announce(models.all())
    models.watch(settings.reload_seconds)
