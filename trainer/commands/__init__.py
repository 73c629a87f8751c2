"""One function for each command: parsed arguments in, files and printed lines out, an exit code back.

No algorithms live here: commands call the other folders, and print.
Start reading in `training.py`.
"""

from trainer.commands.measuring import cross_validate_recipe, evaluate_model, predict
from trainer.commands.publishing import judge, print_versions, publish_file, remove_model, roll_back
from trainer.commands.reading import fetch
from trainer.commands.searching import export, search_settings
from trainer.commands.training import teach, train

__all__ = [
    "cross_validate_recipe",
    "evaluate_model",
    "export",
    "fetch",
    "judge",
    "predict",
    "print_versions",
    "publish_file",
    "remove_model",
    "roll_back",
    "search_settings",
    "teach",
    "train",
]
