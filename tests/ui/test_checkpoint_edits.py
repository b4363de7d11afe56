"""Modules recomputed by name, picked in the layers' tree."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from memplanner.messages.estimate import Layer
from memplanner.plan import Plan
from memplanner_ui.checkpoint_edits import Recomputable, recomputed, with_recomputed
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.layer_model import MARK_ROLE
from tests.ui.acting import LONG

PARTS = (("", "Block"), (".mlp", "Mlp"), (".mlp.up_proj", "Linear"), (".norm", "RMSNorm"))
ROWS = [
    Layer(name="", type="Model"),
    Layer(name="layers", type="ModuleList"),
    *(
        Layer(name=f"layers.{block}{name}", type=type_)
        for block in range(4)
        for name, type_ in PARTS
    ),
]
MODULES = Recomputable.of(ROWS)


def modules_of(plan: Plan) -> tuple[str, ...]:
    return plan.activation_checkpointing.modules


def test_linear_layers_and_lists_are_none() -> None:
    assert MODULES.names[:4] == ("layers.0", "layers.0.mlp", "layers.0.norm", "layers.1")
    assert MODULES.among(["layers"]) == ("layers.0", "layers.1", "layers.2", "layers.3")
    assert MODULES.among(["layers.0.mlp.up_proj"]) == ()


def test_picked_modules_are_named_in_few_patterns() -> None:
    one = with_recomputed(Plan(), MODULES, ["layers.2"], recompute=True)
    assert one.activation_checkpointing.policy == "named"
    assert modules_of(one) == ("layers.2",)
    every = [f"layers.{block}.mlp" for block in range(4)]
    assert modules_of(with_recomputed(Plan(), MODULES, every, recompute=True)) == ("layers.*.mlp",)
    blocks = MODULES.among(["layers"])
    assert modules_of(with_recomputed(Plan(), MODULES, blocks, recompute=True)) == ("layers.*",)


def test_what_lies_in_a_recomputed_module_is_not_named_again() -> None:
    plan = with_recomputed(Plan(), MODULES, ["layers.2.mlp", "layers.1.norm"], recompute=True)
    plan = with_recomputed(plan, MODULES, ["layers.2"], recompute=True)
    assert recomputed(plan, MODULES) == ("layers.1.norm", "layers.2")


def test_none_left_is_no_recomputation() -> None:
    plan = with_recomputed(Plan(), MODULES, ["layers.1", "layers.2"], recompute=True)
    plan = with_recomputed(plan, MODULES, ["layers.1"], recompute=False)
    assert recomputed(plan, MODULES) == ("layers.2",)
    assert with_recomputed(plan, MODULES, ["layers.2"], recompute=False) == Plan()


def test_another_policy_gives_way() -> None:
    plan = Plan.parse({"activation_checkpointing": {"policy": "full"}})
    assert recomputed(plan, MODULES) == ()
    assert recomputed(with_recomputed(plan, MODULES, ["layers.1"], recompute=True), MODULES) == (
        "layers.1",
    )


def test_a_choice_in_the_tree_is_one_edit_with_its_mark(qtbot: QtBot, opened: MainWindow) -> None:
    document, tree = opened.session.document, opened.workspace.layers.tree
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    before = document.plan
    name = "model.layers.1"
    assert tree.select(name)
    menu = opened.layer_choices.menu()
    inner = next(one for one in menu.actions() if one.text().startswith("Checkpoint: ")).menu()
    inner.actions()[0].trigger()
    menu.deleteLater()
    assert modules_of(document.plan) == (name,)
    assert tree.currentIndex().siblingAtColumn(0).data(MARK_ROLE) == "recomputed"
    document.history.undo()
    assert document.plan == before
