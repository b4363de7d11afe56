"""Names of layers put into a tree, and the titles that are cut off them."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from memplanner_ui.views.layer_names import Titles, names_of


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "0", "1"]), max_size=4).map(".".join)),
    st.randoms(use_true_random=False),
)
def test_a_tree_is_the_same_in_whatever_order_its_names_come(
    some: list[str], chance: random.Random
) -> None:
    """Names as a walk meets them are put together by their depth, others looked up."""
    names = sorted({"", *some}, key=lambda name: name.split("."))
    walked = names_of(names.copy())
    above = dict(zip(names, walked.parents, strict=True))
    for name, parent in above.items():
        head = name
        while head and (head == name or head not in names):
            head = head.rpartition(".")[0]
        assert walked.names[parent] == head if name else parent == -1
    assert walked.titles == [name.rpartition(".")[2] for name in names]
    chance.shuffle(names)
    mixed = names_of(names)
    for name, parent in zip(names, mixed.parents, strict=True):
        assert mixed.names[parent] == walked.names[above[name]] if name else parent == -1
    for name in (*names, "nobody"):  # more than are searched for
        expected = names.index(name) if name in names else None
        assert mixed.node(name) == expected


def test_titles_are_parts_of_names_but_where_they_are_set() -> None:
    titles = Titles(names_of(["", "model", "model.norm"]))
    titles[0] = "Llama"
    titles.add("own operations")
    assert list(titles) == ["Llama", "model", "norm", "own operations"]
    assert [titles[node] for node in range(4)] == list(titles)
    again = Titles(names_of(["", "model", "model.norm"]))
    assert again != titles
    again[0] = "Llama"
    again.add("own operations")
    assert again == titles
