"""What the terminal says of the plan."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from memplanner.errors import PlanError

if TYPE_CHECKING:
    from memplanner.model import Model
    from memplanner.plan import Plan


_CARDS = "sharding.cards_per_node"
_FARTHEST = 64
"""How far a number of ranks is looked for that the plan's degrees allow."""


class PlanChanges:
    """A plan's file and the keys to change in it; read before the model, which takes longer.

    ``batch_size``, ``sequence_length`` and ``ranks`` win over ``sets``, and these over the file.
    Raises ``PlanError``.
    """

    def __init__(
        self,
        file: Path | None,
        sets: list[str] | None,
        batch_size: int | None,
        sequence_length: int | None,
        ranks: int | None = None,
    ) -> None:
        from memplanner.plan.file import read_plan

        self._file = None if file is None else read_plan(file)
        self._values: dict[str, object] = {}
        for text in sets or ():
            key, separator, value = text.partition("=")
            if not separator:
                raise PlanError(f"--set {text}: write it as KEY=VALUE, such as precision=fp32.")
            self._values[key.strip()] = value.strip()
        if batch_size is not None:
            self._values["training.batch_size"] = batch_size
        if sequence_length is not None:
            self._values["training.sequence_length"] = sequence_length
        self._ranks = ranks

    def plan(self, model: Model) -> Plan:
        """The file's plan, or else the model's first one, with the changes."""
        from memplanner.model.first_plan import default_plan

        planned = default_plan(model) if self._file is None else self._file
        if self._ranks is None:
            return self.over(planned)
        return self._with_ranks(planned, self._ranks)

    def over(self, planned: Plan) -> Plan:
        """``planned`` with the changes."""
        return planned.with_values(self._values, origin="the terminal")

    def _with_ranks(self, planned: Plan, ranks: int) -> Plan:
        """The plan with so many cards a node, where its degrees allow them."""
        asked = self._values.get(_CARDS, ranks)
        if str(asked) != str(ranks):
            raise PlanError(f"--ranks {ranks} contradicts {_CARDS}={asked}; leave one of them out.")

        def with_cards(cards: int) -> Plan:
            return planned.with_values({**self._values, _CARDS: cards}, origin="the terminal")

        try:
            return with_cards(ranks)
        except PlanError as error:
            below = _first(with_cards, range(ranks - 1, 0, -1))
            above = _first(with_cards, range(ranks + 1, ranks + _FARTHEST))
            near = [str(cards) for cards in (below, above) if cards is not None]
            if not near:  # something else is wrong
                raise
            raise PlanError(
                f"--ranks {ranks} does not go with the plan's degrees; choose {' or '.join(near)}."
            ) from error


def _first(make: Callable[[int], Plan], numbers: range) -> int | None:
    """The first of ``numbers`` that makes a plan."""
    for number in numbers[:_FARTHEST]:
        with suppress(PlanError):
            make(number)
            return number
    return None
