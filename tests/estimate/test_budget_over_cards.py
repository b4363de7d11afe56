"""A budget of activations over several cards: what one card's forward keeps."""

from __future__ import annotations

from typing import Any

import pytest

from memplanner.estimate.recorder import Recorder
from tests.estimate.recordings import H100, planned, tiny

_MIB = 2**20


@pytest.mark.parametrize("data", ["replicated", "zero_2", "zero_3"])
def test_a_budget_is_kept_on_every_card(data: str) -> None:
    records = Recorder(tiny("long llama"))

    def peak_bytes(**values: Any) -> int:
        said = {f"activation_checkpointing__{name}": value for name, value in values.items()}
        plan = planned(8, 64, sharding__cards_per_node=4, sharding__data=data, **said)
        return int(records.tape(plan, H100)[0].without_scratch().curve_bytes.max())

    least, most = peak_bytes(policy="full"), peak_bytes(policy="none")
    kept = peak_bytes(policy="budget", budget_mib=1)
    assert least + _MIB // 2 < kept <= least + _MIB
    assert kept < most
