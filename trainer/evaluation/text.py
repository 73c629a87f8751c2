"""What `evaluate` and trainings on tables print: figures in aligned columns.

Evaluation, Refusal, Outcome, figures -> lines of text
"""

from collections.abc import Mapping

from trainer.data import CLASSES
from trainer.evaluation.conditions import Outcome
from trainer.evaluation.metrics import Evaluation
from trainer.evaluation.refusals import Refusal


def evaluation_text(evaluation: Evaluation, title: str) -> str:
    """Return the figures, the per-digit table and the confusion matrix."""
    wrong = evaluation.images - int(evaluation.confusion.trace())
    lines = [
        title,
        "",
        f"  images              {evaluation.images:>8}",
        f"  wrong               {wrong:>8}   {100 * (1 - evaluation.accuracy):.2f} %",
        f"  accuracy            {100 * evaluation.accuracy:>8.2f} %",
        f"  macro-F1            {100 * evaluation.macro_f1:>8.2f} %",
        f"  cross-entropy       {evaluation.cross_entropy:>8.4f} nats",
        f"  calibration error   {100 * evaluation.calibration_error:>8.2f} %",
        f"  accepted            {100 * evaluation.accepted:>8.2f} %",
        f"  refused             {100 * (1 - evaluation.accepted):>8.2f} %",
        f"  wrong of the 99 %   {100 * evaluation.surest_error:>8.2f} %   that are surest",
        "",
        "  digit   precision   recall       F1",
    ]
    for digit in range(CLASSES):
        values = (evaluation.precision[digit], evaluation.recall[digit], evaluation.f1[digit])
        lines.append(f"  {digit:>5}   " + "   ".join(f"{100 * v:>6.2f} %" for v in values))
    lines += ["", "  true \\ answer" + "".join(f"{digit:>6}" for digit in range(CLASSES))]
    for digit in range(CLASSES):
        counts = "".join(f"{count or '.':>6}" for count in evaluation.confusion[digit])
        lines.append(f"  {digit:>13}{counts}")
    return "\n".join(lines)


def refusals_text(refusals: Mapping[str, Refusal], title: str) -> str:
    """Return a table of non-digits: how many of each kind, and the share that is refused."""
    lines = [title, "", f"  {'non-digits':<24}{'images':>8}{'refused':>12}"]
    lines += [f"  {kind:<24}{one.images:>8}{100 * one.refused:>10.2f} %" for kind, one in refusals.items()]
    total = sum(one.images for one in refusals.values())
    share = sum(one.images * one.refused for one in refusals.values()) / total
    return "\n".join([*lines, f"  {'together':<24}{total:>8}{100 * share:>10.2f} %"])


def conditions_text(outcomes: Mapping[str, Outcome], title: str) -> str:
    """Return a table of the same pictures under several conditions; the first is the reference."""
    first = next(iter(outcomes.values()))
    lines = [title, "", f"  {f'each of {first.images} pictures':<32}{'wrong':>8}{'more':>13}{'refused':>12}"]
    for name, one in outcomes.items():
        more = f"{100 * (one.wrong - first.wrong):+.2f} points"
        lines.append(f"  {name:<32}{100 * one.wrong:>6.2f} %{more:>13}{100 * one.refused:>10.2f} %")
    return "\n".join(lines)


def table_text(name: str, figures: dict[str, float], epochs: int) -> str:
    """Return the summary of a training on the table called `name`."""
    lines = [f"{name}: trained for {epochs} epochs; on held-out test rows:"]
    lines += [f"  {title:<24}{value:>10.5g}" for title, value in figures.items()]
    return "\n".join(lines)
