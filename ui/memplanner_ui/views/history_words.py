"""How far predictions of past runs were off, in the user's language."""

from __future__ import annotations

from collections.abc import Sequence

from memplanner.messages.history import KeptRun
from memplanner.report.past_runs import Accuracy, accuracy, error_words
from memplanner.units import format_count
from memplanner_ui.language import plural, translate


def accuracy_words(told: Accuracy) -> str:
    """Such as ``median error 1.1 %, worst 3.4 %``; of a single run its error."""
    if told.runs == 1:
        return middle_words(told)
    return translate("Views", "{median}, worst {worst}").format(
        median=middle_words(told), worst=_share(told.worst)
    )


def middle_words(told: Accuracy) -> str:
    """Such as ``median error 1.1 %``; of a single run its error."""
    if told.runs == 1:
        return translate("Views", "error {error}").format(error=_share(told.worst))
    return translate("Views", "median error {error}").format(error=_share(told.median))


def _share(share: float) -> str:
    return error_words(share).removeprefix("+")


def counted(runs: int) -> str:
    """``1 run``, ``41 runs``."""
    return plural("Views", "{count} runs", "{count} run", runs).format(count=format_count(runs))


def told(runs: Sequence[KeptRun]) -> str:
    """Such as ``median error 0.8 %, worst 4.1 % in 30 runs; 3 runs cut short``."""
    short, known = sum(not run.whole for run in runs), accuracy(runs)
    whole = ""
    if known is not None:
        words = translate("Views", "{accuracy} in {runs}")
        whole = words.format(accuracy=accuracy_words(known), runs=counted(known.runs))
    if not short:
        return whole
    cut = translate("Views", "{runs} cut short").format(runs=counted(short))
    return translate("Views", "{whole}; {cut}").format(whole=whole, cut=cut) if whole else cut
