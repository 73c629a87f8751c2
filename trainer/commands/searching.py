"""The commands that search for settings and export models: search, export.

data set -> trials in a storage -> the best settings as a recipe; model file -> ONNX file
"""

import argparse

from service.model.artifact import save
from trainer.commands.reading import read_model, read_training_data
from trainer.errors import TrainerError, UsageError
from trainer.publishing import onnx_bytes
from trainer.recipes import default_recipe, load_config
from trainer.search import best_recipe, default_storage, open_study, search


def search_settings(arguments: argparse.Namespace) -> int:
    """Search for hyper-parameters and write the best as a recipe."""
    if arguments.trials < 1:
        raise UsageError(f"--trials is {arguments.trials}; at least 1 is needed")
    recipe = arguments.recipe or default_recipe(arguments.dataset)
    config = load_config(recipe, arguments)
    if not config.validation:
        raise UsageError("search compares trials on validation images: set --validation above 0")
    name = arguments.study or arguments.dataset
    study = open_study(arguments.storage or default_storage(arguments.runs, name), name, config.seed)
    dataset = read_training_data(arguments, config.split_seed)
    search(study, arguments.trials, dataset, recipe, arguments, lambda line: print(line, flush=True))
    text, loss = best_recipe(study, recipe, arguments)
    path = arguments.runs / "search" / f"{name}.toml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, text.encode())
    except OSError as error:
        raise TrainerError(f"{path} cannot be written: {error.strerror}") from error
    print(f"\n{text}")  # when a pod ends, its files are gone, but its log stays
    print(f"best validation loss {loss:.4f}; its settings are in {path}")
    print(f"train with them: {_command(arguments, path)}")
    return 0


def _command(arguments: argparse.Namespace, path: object) -> str:
    """Return the command that trains with the settings found."""
    data = "".join(
        f" --{flag} {value}"
        for flag, value in (("data", arguments.data), ("with-mnist", arguments.with_mnist))
        if value
    )
    return f"python -m trainer train {arguments.dataset}{data} --recipe {path}"


def export(arguments: argparse.Namespace) -> int:
    """Write the network of a model as an ONNX file."""
    artifact = read_model(arguments.artifact)
    content, difference = onnx_bytes(artifact)
    try:
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        save(arguments.to, content)
    except OSError as error:
        raise TrainerError(f"{arguments.to} cannot be written: {error.strerror}") from error
    side = artifact.geometry.side
    print(f"wrote {arguments.to}: pixels (n, {side**2}) float32 -> probabilities (n, 10)")
    print(f"no probability differs from ours by more than {difference:.1g}; it has no rejector")
    return 0
