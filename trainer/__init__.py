"""Offline training: data in, checked model files out.

The service never imports this package, which uses only `service.preprocessing` and `service.model` of it.
Start reading in `commands/training.py`, then `pipeline.py`. Folders import only from those before them:

    errors <- stages <- data <- synthetic <- nn <- training <- distillation <- evaluation <- publishing
           <- recipes <- pipeline <- estimator <- search <- runs <- parser <- commands <- cli

tests/trainer/test_architecture.py holds the order.
"""

from typing import Any

# The order in which parts of the trainer may import each other: each imports only parts before it.
LAYERS = (
    *("errors", "stages", "data", "synthetic", "nn", "training", "distillation", "evaluation", "publishing"),
    *(
        "recipes",
        "pipeline",
        "estimator",
        "search",
        "runs",
        "parser",
        "commands",
        "cli",
        "interruption",
        "__main__",
    ),
)


def __getattr__(name: str) -> Any:
    """Return DigitClassifier, imported only on demand because scikit-learn takes a second to import."""
    if name == "DigitClassifier":
        from trainer.estimator import DigitClassifier

        return DigitClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
