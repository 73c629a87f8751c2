"""The report of a training: one self-contained HTML file, and its plots as PNG files.

data, history, model -> figures -> DIR/NAME.png, DIR/report.html
"""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from service.model.artifact import Artifact, parse, save
from service.model.classifier import Classifier
from trainer.data import Dataset, Table, hold_out
from trainer.errors import TrainerError
from trainer.evaluation import answer_plots, training_plots
from trainer.evaluation.health import LayerHealth, health_text
from trainer.evaluation.metrics import Evaluation, summarize
from trainer.evaluation.plotting import save_figures
from trainer.evaluation.text import evaluation_text
from trainer.nn import Parameters, activate
from trainer.training import TrainingConfig, logits

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #f4f5f6; margin: 0; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 0 0 .3rem; }
section { background: #fff; border-radius: 10px; padding: 1.2rem 1.4rem; margin-top: 1.2rem;
          box-shadow: 0 1px 3px #0001; }
img { max-width: 100%; display: block; margin: .8rem auto 0; }
p { margin: .2rem 0; max-width: 46rem; } pre { overflow-x: auto; font-size: .82rem; line-height: 1.4; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .8rem; margin: 0; }
dt { font-size: .82rem; color: #5b6670; } dd { margin: 0; font-size: 1.1rem; font-weight: 600; }
"""


class Section(NamedTuple):
    """A figure with a heading and an explanation; its file is NAME.png."""

    name: str
    heading: str
    text: str


DATA = [
    Section("balance", "The data: how many of each digit", "All digits should be about equally frequent."),
    Section("samples", "The data: mean and samples", "A wrong label or a broken picture shows here first."),
    Section(
        "augmented",
        "What training sees",
        "You should still recognize the digit in each copy. If not, the ranges are too wide.",
    ),
]
REFIT = (
    "The model file was trained on all pictures. The answers shown here are those of its twin, which was "
    "trained in the same way, but without the pictures held out."
)
HEALTH = (
    "A dead unit has no slope for any example, so it learns nothing more. If the gradient is far smaller in "
    "the first layer than in the last, it has vanished on the way. After a good training, all are small."
)
CURVES = Section(
    "curves",
    "How training went",
    "Training figures come from distorted pictures, with dropout and the teachers' answers if there are any. "
    "They may be worse than validation. If validation rises while training falls, the network overfits.",
)
ANSWERS = [
    Section("confusion", "Which digit is taken for which", "Held-out pictures. Only mistakes are colored."),
    Section("digits", "Digit by digit", "Held-out pictures. The axis does not begin at 0."),
    Section(
        "mistakes",
        "The worst mistakes",
        "Least likely truth first. Some are hard for people too.",
    ),
    Section(
        "reliability", "How reliable its confidence is", "On the line, 80 % sure means right 80 times in 100."
    ),
    Section(
        "coverage",
        "The gain from checking the least certain answers by hand",
        "Read from the right: the more are set aside, the fewer of the others are wrong.",
    ),
    Section("weights", "What the first layer looks for", "Blue: ink wanted; orange: ink unwanted."),
]


def write_report(
    folder: Path,
    content: bytes,
    dataset: Dataset,
    config: TrainingConfig,
    history: Sequence[Mapping[str, Any]],
    health: Sequence[LayerHealth],
    tested: bool = False,
    version: str = "",
) -> Path:
    """Write the report of a trained model and return the path of the page.

    content: the bytes of the model file that was measured. history: one entry per epoch. health: of each
    layer. tested: show the answers to the test pictures; else those to the validation pictures, if there are
    any. version: of the model file that was written, where that is not the measured one but was refit on all
    pictures. Raises TrainerError if the folder cannot be written.
    """
    artifact = parse(content)
    part, shown = "validation", hold_out(dataset.train, config.validation, config.split_seed)[1]
    if tested:
        part, shown = "test", dataset.test
    figures = {
        "balance": training_plots.balance_figure(dataset.train, dataset.test),
        "samples": training_plots.samples_figure(dataset.train),
        "augmented": training_plots.augmented_figure(dataset.train, dataset.geometry, config),
        "curves": training_plots.curves_figure(history),
        "weights": training_plots.weights_figure(artifact.layers[0], dataset.geometry.side),
    }
    command = str(artifact.metadata["training"]["command"])
    if not len(shown):
        save_figures(folder, figures)
        return _write_page(
            folder, command, _headline(artifact, version), [*DATA, CURVES, ANSWERS[-1]], health
        )
    predictions = Classifier(artifact).classify(shown.pixels)
    probabilities = np.array([one.probabilities for one in predictions])
    accepted = float(np.mean([one.accepted for one in predictions]))
    evaluation = summarize(shown.labels, probabilities, accepted)
    save_figures(folder, figures | answer_plots.evaluation_figures(shown, probabilities, evaluation))
    details = evaluation_text(evaluation, f"{part} pictures")
    headline = _error_headline(evaluation, part) | _headline(artifact, version)
    note = REFIT if version not in ("", artifact.version) else ""
    return _write_page(folder, command, headline, [*DATA, CURVES, *ANSWERS], health, details, note)


def write_table_report(
    folder: Path,
    name: str,
    test: Table,
    parameters: Parameters,
    config: TrainingConfig,
    history: Sequence[Mapping[str, Any]],
    health: Sequence[LayerHealth],
    quantities: bool,
) -> Path:
    """Write the report of a training on the table called `name` and return the path of the page.

    test: held-out rows. history: one entry per epoch. quantities: whether targets are numbers rather than
    classes. Raises TrainerError if the folder cannot be written.
    """

    def outputs(inputs: np.ndarray) -> np.ndarray:
        return activate(config.output, logits(parameters, inputs.astype(np.float32)))

    if not quantities:
        low, high = test.inputs.min(axis=0) - 0.3, test.inputs.max(axis=0) + 0.3
        places = np.stack(np.meshgrid(*np.linspace(low, high, 80).T), axis=-1)  # (80, 80, 2)
        field = outputs(places.reshape(-1, 2)).reshape(80, 80)
        figure = training_plots.plane_figure(test.inputs, test.targets, places, field, config.threshold)
    else:
        figure = training_plots.quantities_figure(test.targets, outputs(test.inputs))
    save_figures(folder, {"curves": training_plots.curves_figure(history), "answers": figure})
    sections = [CURVES, Section("answers", "What it answers", "Test rows, held out from training.")]
    latest = {key: f"{value:.4g}" for key, value in history[-1].items()}
    return _write_page(folder, f"python -m trainer train {name}", latest, sections, health)


def _error_headline(evaluation: Evaluation, part: str) -> dict[str, str]:
    """Return the figures of the answers, for the top of the page."""
    return {
        f"{part} error": f"{100 * (1 - evaluation.accuracy):.2f} %",
        f"{part} pictures": f"{evaluation.images:,}",
        "macro-F1": f"{100 * evaluation.macro_f1:.2f} %",
        "calibration error": f"{100 * evaluation.calibration_error:.2f} %",
    }


def _headline(artifact: Artifact, version: str) -> dict[str, str]:
    """Return the facts about the network, for the top of the page."""
    return {"weights and biases": f"{artifact.parameters:,}", "version": version or artifact.version}


def _write_page(
    folder: Path,
    command: str,
    headline: Mapping[str, str],
    sections: Sequence[Section],
    health: Sequence[LayerHealth],
    details: str = "",
    note: str = "",
) -> Path:
    """Write report.html with the plots of `folder` embedded."""
    figures = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in headline.items())
    pairs = figures.replace("<dt>", "<div><dt>").replace("</dd>", "</dd></div>")
    told = f"<p>{html.escape(note)}</p>" if note else ""
    body = "".join(_section_html(folder, section) for section in sections)
    body += (
        f"<section><h2>Layer by layer</h2><p>{html.escape(HEALTH)}</p>"
        f"<pre>{html.escape(health_text(health))}</pre></section>"
    )
    if details:
        body += f"<section><h2>All figures</h2><pre>{html.escape(details)}</pre></section>"
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Training report</title>
<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>
<body><main><h1>Training report</h1><p><code>{html.escape(command)}</code></p>
<section><dl>{pairs}</dl>{told}</section>{body}</main></body></html>
"""
    path = folder / "report.html"
    try:
        save(path, page.encode())
    except OSError as error:
        raise TrainerError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _section_html(folder: Path, section: Section) -> str:
    image = base64.b64encode((folder / f"{section.name}.png").read_bytes()).decode()
    return (
        f"<section><h2>{html.escape(section.heading)}</h2><p>{html.escape(section.text)}</p>"
        f'<img alt="{html.escape(section.heading)}" src="data:image/png;base64,{image}"></section>'
    )
