from __future__ import annotations

from itertools import combinations

import pytest

from memplanner_ui.look.tokens import CATEGORIES, Scheme, read_tokens
from tests.ui.color_math import MACHADO, contrast, distance

FILLED = tuple(name for name in CATEGORIES if name != "free")
INKS = ("text", "text2", "text3", "accent", "fits", "trouble", "caution")
SURFACES = ("window", "panel", "base", "raised", "alternate", "selection")

# docs/look.md, smallest distance between any two filled categories.
DISTANCES = {
    "light": {"normal": 13.6, "deutan": 11.7, "protan": 11.5, "tritan": 10.6},
    "dark": {"normal": 12.5, "deutan": 10.9, "protan": 10.9, "tritan": 11.1},
}
# Contrast of the text on a category.
ON_CATEGORY = {
    "light": (7.2, 7.6, 4.5, 8.8, 8.2, 4.7, 7.0, 11.8, 10.8),
    "dark": (5.6, 12.5, 8.5, 9.7, 5.2, 5.1, 13.3, 6.2, 11.9),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", MACHADO)
def test_any_two_categories_stay_apart_for_every_sight(scheme: Scheme, sight: str) -> None:
    fills = read_tokens(scheme).fills
    nearest = min(distance(fills[a], fills[b], sight) for a, b in combinations(FILLED, 2))
    assert nearest >= 10
    assert nearest == pytest.approx(DISTANCES[scheme][sight], abs=0.15)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_a_category_can_be_read(scheme: Scheme) -> None:
    tokens = read_tokens(scheme)
    for name, promised in zip(FILLED, ON_CATEGORY[scheme], strict=True):
        ratio = contrast(tokens.fills[name], tokens.texts[name])
        assert ratio >= 4.45, name
        assert ratio == pytest.approx(promised, abs=0.06), name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("surface", SURFACES)
def test_every_ink_can_be_read_on_every_surface(scheme: Scheme, surface: str) -> None:
    tokens = read_tokens(scheme)
    ratios = {ink: contrast(tokens.inks[ink], tokens.surfaces[surface]) for ink in INKS}
    assert min(ratios.values()) >= 4.5, ratios


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_on_accent_can_be_read(scheme: Scheme) -> None:
    tokens = read_tokens(scheme)
    assert contrast(tokens.inks["accent"], tokens.inks["on_accent"]) >= 6.4


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_limit_and_the_accent_are_no_category(scheme: Scheme) -> None:
    tokens = read_tokens(scheme)
    for ink in ("trouble", "accent"):
        nearest = min(distance(tokens.inks[ink], tokens.fills[name], "normal") for name in FILLED)
        assert nearest >= 8, ink


def test_both_schemes_name_the_same_colours() -> None:
    assert read_tokens("light").colors.keys() == read_tokens("dark").colors.keys()
