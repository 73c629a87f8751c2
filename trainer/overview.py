"""What --help begins with: examples, then the commands by what they are for.

GROUPS -> OVERVIEW, PURPOSES -> trainer/parser.py
"""

EXAMPLES = """\
examples:
  python -m trainer train digits             # scikit-learn's, offline
  python -m trainer predict models/mnist-28x28.npz examples/seven.png
  python -m trainer evaluate models/digits-8x8.npz digits
  python -m trainer train --help             # the options of a command
"""
TRAIN_EXAMPLES = """\
examples:
  python -m trainer train digits             # scikit-learn's, offline
  python -m trainer train digits --resume    # continue after Ctrl-C
  python -m trainer train digits --hidden 64,32 --epochs 30
  python -m trainer train mnist --data MNIST --to models
  python -m trainer train folder --data mine --recipe own-digits --name mine
"""

GROUPS: dict[str, dict[str, str]] = {
    "train": {
        "train": "train a model into runs/NAME/",
        "distill": "train one small model on the answers of several",
        "teach": "train a convolutional network as a teacher for distill",
        "judge": "fit a new rejector of non-digits to a trained model",
        "search": "search for hyper-parameters with Optuna",
        "fetch": "download a data set",
    },
    "measure and use": {
        "evaluate": "measure a model on a data set",
        "cross-validate": "measure a recipe on digits that it has not learned",
        "predict": "answer for image files without a server",
        "export": "write the network of a model as an ONNX file",
    },
    "publish": {
        "publish": "check a model file and move it into place",
        "rollback": "serve an older version again",
        "versions": "list the versions of a model that a folder keeps",
        "remove": "remove a model and its versions from a folder",
    },
}
PURPOSES = {name: purpose for group in GROUPS.values() for name, purpose in group.items()}


def _overview() -> str:
    width = max(map(len, PURPOSES))
    groups = [
        "\n".join([f"{title}:", *(f"  {name:<{width}}  {purpose}" for name, purpose in group.items())])
        for title, group in GROUPS.items()
    ]
    return "\n\n".join([EXAMPLES.rstrip(), *groups])


OVERVIEW = _overview()
