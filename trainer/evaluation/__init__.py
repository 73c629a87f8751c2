"""How good a trained model is: metrics, refusals of non-digits, whole numbers, other conditions, plots.

Nothing here changes a model. The plots (`answer_plots`, `training_plots`, `report`) need matplotlib.
Start reading in `metrics.py`.
"""

from trainer.evaluation.answers import answer_file, answer_json, answer_text
from trainer.evaluation.conditions import try_conditions
from trainer.evaluation.cross_validation import (
    cross_validate,
    cross_validation_text,
    random_folds,
    writer_folds,
)
from trainer.evaluation.health import HEALTH_EXAMPLES, LayerHealth, health_text, health_warning, layer_health
from trainer.evaluation.metrics import Evaluation, evaluate
from trainer.evaluation.numbers import composed_readings, folder_readings, readings_text
from trainer.evaluation.refusals import generated_refusals, picture_refusals
from trainer.evaluation.text import conditions_text, evaluation_text, refusals_text, table_text

__all__ = [
    "HEALTH_EXAMPLES",
    "Evaluation",
    "LayerHealth",
    "answer_file",
    "answer_json",
    "answer_text",
    "composed_readings",
    "conditions_text",
    "cross_validate",
    "cross_validation_text",
    "evaluate",
    "evaluation_text",
    "folder_readings",
    "generated_refusals",
    "health_text",
    "health_warning",
    "layer_health",
    "picture_refusals",
    "random_folds",
    "readings_text",
    "refusals_text",
    "table_text",
    "try_conditions",
    "writer_folds",
]
