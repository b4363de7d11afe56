"""A plan that puts more into the host's memory than there is fits nowhere."""

from __future__ import annotations

import pytest

from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.search import FoundPlan, SearchGoal
from memplanner.plan.plan import keys
from memplanner.search import limits
from memplanner.search.limits import Limits
from memplanner.search.search import Search
from tests.estimate.recordings import planned, tiny

CARD = find_device("RTX 4090 24GB")
PLAN = planned(8, 64, activation_offload__to="host")


def told(host_memory_bytes: int | None, device: Device = CARD) -> tuple[FoundPlan, bool]:
    """The plan as it is, and whether a search would choose it."""
    goal = SearchGoal(pinned=keys(), host_memory_bytes=host_memory_bytes)
    running = Search(tiny("long llama"), PLAN, device, goal)
    while running.go_on():
        pass
    return running.best()[0], running.chosen is not None


def test_the_host_s_memory_is_held_against_what_there_is() -> None:
    free, chosen = told(None)
    assert free.host_bytes
    assert (free.verdict, free.host_spare_bytes, chosen) == ("fits", None, True)

    enough, chosen = told(free.host_bytes)
    assert (enough.verdict, enough.host_spare_bytes, chosen) == ("fits", 0, True)

    short, chosen = told(free.host_bytes - 1)
    assert (short.verdict, short.host_spare_bytes, chosen) == ("does_not_fit", -1, False)


def test_what_is_free_here_counts_for_this_machine_s_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Device(name="CPU", kind="cpu", memory_bytes=1000, used_bytes=300, local=True)
    monkeypatch.setattr(limits, "host_device", lambda: here)
    card = CARD.model_copy(update={"local": True, "index": 0})
    assert Limits.of(card, 0).host_bytes == 700
    assert Limits.of(card, 0, host_memory_bytes=5).host_bytes == 5
    assert Limits.of(CARD, 0).host_bytes is None
    assert Limits.of(here, 0).host_bytes is None
    found, chosen = told(None, card)
    assert found.verdict == "does_not_fit"
    assert not chosen
