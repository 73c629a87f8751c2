"""Recipes: hyper-parameters under a name, one TOML file each, and the function that reads them.

No defaults are decided here (see `trainer.training.config`), and nothing is trained.
Start reading in `digits-8x8.toml`, then `reading.py`.
"""

from trainer.recipes.flags import add_flags, fields_of
from trainer.recipes.reading import default_name, default_recipe, load_config, recipe_names

__all__ = ["add_flags", "default_name", "default_recipe", "fields_of", "load_config", "recipe_names"]
