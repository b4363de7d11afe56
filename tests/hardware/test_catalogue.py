import json
from collections import Counter
from importlib.resources import files

import pytest

from memplanner.hardware import card_of, cards, catalogue, sources
from memplanner.hardware.catalogue import Card
from memplanner.hardware.names import words
from memplanner.messages.device import Device

MIB = 1024**2
GIB = 1024**3


def named(name: str) -> Card:
    return next(card for card in cards() if card.name == name)


def test_there_are_many_cards_of_every_kind() -> None:
    kinds = Counter(card.kind for card in cards())
    assert kinds["cuda"] >= 45
    assert kinds["rocm"] >= 5
    assert kinds["xpu"] >= 3
    assert kinds["mps"] >= 5
    assert len(catalogue()) == len(cards())


def test_every_fact_has_a_source_that_is_explained_and_none_is_left_over() -> None:
    named_sources = {
        source
        for card in cards()
        for source in (card.memory_source, card.performance_source, card.architecture_source)
        if source
    }
    assert named_sources == set(sources())
    assert all(bool(card.architecture) == bool(card.architecture_source) for card in cards())


def test_no_two_cards_share_a_name_or_an_alias() -> None:
    spelled = Counter(
        "".join(words(spelling)) for card in cards() for spelling in (card.name, *card.aliases)
    )
    assert [spelling for spelling, count in spelled.items() if count > 1] == []


def test_no_alias_is_another_cards_reported_name() -> None:
    reported = {
        "".join(words(spelling)): card.name for card in cards() for spelling in card.reported
    }
    for card in cards():
        for spelling in (card.name, *card.aliases):
            owner = reported.get("".join(words(spelling)))
            shared = owner is not None and card.reported == named(owner).reported
            assert owner in (None, card.name) or shared, spelling


def test_memory_is_near_the_size_in_the_name() -> None:
    for card in cards():
        size = next(word for word in reversed(words(card.name)) if word.endswith("gb"))
        stated = int(size[:-2].split("g")[-1])
        if card.kind == "mps":  # the system keeps a third to a quarter for itself
            assert 0.6 <= card.memory_bytes / (stated * GIB) <= 0.8, card.name
        else:
            assert 0.87 <= card.memory_bytes / (stated * GIB) <= 1.05, card.name


def test_torch_and_nvidia_smi_agree_on_what_is_known() -> None:
    assert named("H100 80GB").memory_bytes == 81_089 * MIB
    assert 79.1 <= named("A100 80GB").memory_bytes / GIB <= 79.3
    assert named("H100 80GB").memory_source == "torch"


def test_architectures_are_of_their_kind() -> None:
    for card in cards():
        if card.kind == "cuda":
            major, _, minor = card.architecture.partition(".")
            assert 6 <= int(major) <= 12, card.name
            assert minor.isdigit()
        elif card.kind == "rocm":
            assert card.architecture.startswith("gfx"), card.name


def test_figures_are_possible() -> None:
    for card in cards():
        known = {name: value for name, value in card.tflops if value is not None}
        assert all(value > 0 for value in known.values()), card.name
        if card.tflops.fp8 and card.tflops.bf16:
            assert 1.9 <= card.tflops.fp8 / card.tflops.bf16 <= 2.1, card.name
        if card.tflops.tf32 and card.tflops.bf16:
            assert 1.9 <= card.tflops.bf16 / card.tflops.tf32 <= 2.1, card.name
        if card.kind == "cuda" and float(card.architecture) < 8:
            assert card.tflops.bf16 is None, f"{card.name} has no bf16 tensor cores"
            assert card.tflops.tf32 is None
        if card.kind == "cuda" and float(card.architecture) < 8.9:
            assert card.tflops.fp8 is None, card.name
        if card.bandwidth_gb_s is not None:
            assert 50 <= card.bandwidth_gb_s <= 10_000, card.name


def test_the_file_says_nothing_that_is_not_read() -> None:
    text = files("memplanner.resources").joinpath("cards.json").read_text(encoding="utf-8")
    for entry in json.loads(text)["cards"]:
        Card.model_validate(entry)  # a key too many is an error
        assert set(entry) == set(Card.model_fields), entry["name"]


def test_a_card_of_the_catalogue_is_free() -> None:
    for card, device in zip(cards(), catalogue(), strict=True):
        assert device.used_bytes == 0
        assert not device.local
        assert device.selector == card.name
        assert card_of(device) is card


@pytest.mark.parametrize(("memory", "name"), [(12, "RTX 3060 12GB"), (8, "RTX 3060 8GB")])
def test_a_local_card_is_known_by_name_and_memory(memory: int, name: str) -> None:
    device = Device(
        name="NVIDIA GeForce RTX 3060", kind="cuda", memory_bytes=memory * GIB, local=True, index=0
    )
    card = card_of(device)
    assert card is not None
    assert card.name == name


def test_what_is_not_in_the_catalogue_has_no_card() -> None:
    assert card_of(Device(name="CPU", kind="cpu", memory_bytes=GIB, local=True)) is None
    assert card_of(Device(name="NVIDIA Z1", kind="cuda", memory_bytes=None, local=True)) is None


def test_multiprocessors_are_those_of_nvidias_cards() -> None:
    for card in cards():
        assert (card.multiprocessors is not None) == (card.kind == "cuda"), card.name


def test_plain_arithmetic_follows_from_multiprocessors_and_a_possible_clock() -> None:
    for card in cards():
        if card.multiprocessors and card.tflops.fp32:
            older = card.architecture in {"6.0", "7.0", "7.5", "8.0"}
            operations = card.multiprocessors * (64 if older else 128) * 2
            assert 1.2 <= card.tflops.fp32 * 1e3 / operations <= 2.75, card.name


def test_every_architecture_torch_runs_on_is_there() -> None:
    architectures = {card.architecture for card in cards() if card.kind == "cuda"}
    assert {"7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "10.3", "12.0", "12.1"} <= architectures
