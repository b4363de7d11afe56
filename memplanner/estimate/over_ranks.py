"""One prediction for each kind of rank; the fullest one decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from memplanner.errors import PlanError
from memplanner.estimate.prediction import Prediction
from memplanner.messages.estimate import RankFigures
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.rank_groups import RankGroup, rank_groups
from memplanner.techniques.parallel.shared_states import shares_states


@dataclass(frozen=True, slots=True)
class OverRanks:
    """The predictions of a sharded plan, one for each group of ranks that hold the same."""

    groups: tuple[RankGroup, ...]
    predictions: tuple[Prediction, ...]

    def first_figures(self) -> tuple[RankFigures, ...]:
        """Every rank's tensors, without what allocator and device make of them."""
        return tuple(
            RankFigures(
                first=group.first,
                count=group.count,
                stage=group.stage,
                allocated_bytes=prediction.peak.allocated_bytes,
                phase=prediction.peak.phase,
                by_category=prediction.peak.by_category,
                parameters=prediction.model.parameters,
                blocks=blocks_of(prediction.module_names),
            )
            for group, prediction in zip(self.groups, self.predictions, strict=True)
        )

    def figures(self) -> tuple[RankFigures, ...]:
        """Every rank's figures."""
        return tuple(
            first.model_copy(
                update={
                    "reserved_bytes": prediction.peak.reserved_bytes,
                    "device_bytes": prediction.peak.device_bytes,
                    "device_high_bytes": prediction.peak.device_high_bytes,
                    "verdict": prediction.verdict,
                }
            )
            for first, prediction in zip(self.first_figures(), self.predictions, strict=True)
        )


def blocks_of(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The repeated blocks among modules, as runs of their numbers: the first, and after the last.

    Of several lists the longest counts, the outermost of equally long ones.
    """
    lists: dict[str, set[int]] = {}
    for name in names:
        path, _, last = name.rpartition(".")
        if last.isdigit():
            lists.setdefault(path, set()).add(int(last))
    if not lists:
        return ()
    longest = max(lists, key=lambda path: (len(lists[path]), -path.count(".")))
    numbers = sorted(lists[longest])
    starts = [number for number in numbers if number - 1 not in lists[longest]]
    stops = [number + 1 for number in numbers if number + 1 not in lists[longest]]
    return tuple(zip(starts, stops, strict=True))


def predict_ranks(
    section: Sharding, predict: Callable[[int], Prediction], asked: int | None
) -> Prediction:
    """The prediction of the fullest rank, or of the kind of rank that ``asked`` is.

    It knows those of all others. ``predict`` makes the prediction of one rank. Raises
    ``PlanError`` for a rank that is not there.
    """
    if asked is not None and not 0 <= asked < section.ranks:
        raise PlanError(
            f"Rank {asked} is not one of the plan's {section.ranks}; choose 0 to "
            f"{section.ranks - 1}."
        )
    if section.ranks == 1:
        return predict(0)
    predicted = cache(predict)
    # which rank ZeRO-1 gives most is known when one was seen: the plan may train adapters alone
    sizes = predicted(0).trained_sizes if shares_states(section) else ()
    groups = rank_groups(section, sizes)
    predictions = tuple(predicted(group.first) for group in groups)
    if asked is None:
        chosen = max(range(len(groups)), key=lambda place: predictions[place].peak.allocated_bytes)
    else:
        chosen = asked // groups[0].count
    prediction = predictions[chosen]
    prediction.rank = groups[chosen].first if asked is None else asked
    prediction.over = OverRanks(groups, predictions)
    return prediction
