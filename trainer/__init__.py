"""Offline training: data in, checked model files out.

The service never imports this package. Of the service, this package imports only `service.preprocessing`,
`service.model` and `service.reading`. Start reading in `commands/training.py`, then `pipeline.py`. Each part
imports only parts before it:

    errors <- stages <- data <- synthetic <- nn <- training <- distillation <- evaluation <- publishing
           <- recipes <- pipeline <- estimator <- search <- runs <- overview <- parser <- commands <- cli

tests/trainer/test_architecture.py holds the order.
"""

from typing import Any

# The same order, for the test.
LAYERS = (
    *("errors", "stages", "data", "synthetic", "nn", "training", "distillation", "evaluation", "publishing"),
    *(
        "recipes",
        "pipeline",
        "estimator",
        "search",
        "runs",
        "overview",
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
