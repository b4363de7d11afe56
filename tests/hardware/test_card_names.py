import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.hardware import cards, find_device
from memplanner.hardware.names import match, words

spellings = st.sampled_from(
    [(card.name, spelling) for card in cards() for spelling in (card.name, *card.aliases)]
)


def other_case(text: str, upper: list[bool]) -> str:
    turned = zip(text, upper * len(text), strict=False)
    return "".join(c.upper() if up else c.lower() for c, up in turned)


@given(spellings, st.lists(st.booleans(), min_size=1, max_size=8))
def test_any_mix_of_case_finds_the_card(spelling: tuple[str, str], upper: list[bool]) -> None:
    name, typed = spelling
    assert find_device(other_case(typed, upper)).name == name


@given(spellings, st.sampled_from(["", "  ", "NVIDIA "]), st.sampled_from([" ", "-", "_", "  "]))
def test_spacing_and_the_maker_do_not_matter(
    spelling: tuple[str, str], before: str, between: str
) -> None:
    name, typed = spelling
    assert find_device(before + typed.replace(" ", between)).name == name


def test_every_name_and_alias_finds_its_card() -> None:
    for card in cards():
        for typed in (card.name, *card.aliases):
            for text in (typed, typed.lower(), typed.upper(), typed.swapcase()):
                assert find_device(text) == card.device


@pytest.mark.parametrize(
    ("name", "reported"), [(card.name, one) for card in cards() for one in card.reported]
)
def test_a_reported_name_finds_its_card_or_is_shared(name: str, reported: str) -> None:
    alike = [card.name for card in cards() if reported in card.reported]
    found = match(reported, {card.name: card.spellings for card in cards()}).found
    assert name in found
    assert set(found) == set(alike)


@given(st.text(max_size=40))
def test_any_text_finds_one_several_or_none(text: str) -> None:
    known = {card.name: card.spellings for card in cards()}
    result = match(text, known)
    assert set(result.found) <= set(known)
    assert set(result.near) <= set(known)
    assert not (result.found and result.near)


@given(st.text(max_size=40))
def test_words_are_the_same_again(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NVIDIA GeForce RTX 3060 Ti", ("rtx", "3060", "ti")),
        ("rtx3060ti 8 GB", ("rtx", "3060", "ti", "8gb")),
        ("RTX4070TiSUPER", ("rtx", "4070", "ti", "super")),
        ("A100-SXM4-80GB", ("a100", "sxm4", "80gb")),
        ("a100 80gib", ("a100", "80gb")),
        ("RTX A6000", ("rtx", "a6000")),
        ("rtxa6000", ("rtx", "a6000")),
        ("H100 MIG 1g.10gb", ("h100", "mig", "1g10gb")),
        ("RX7900XTX", ("rx", "7900", "xtx")),
        ("Intel(R) Arc(TM) A770 Graphics", ("arc", "a770")),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected
