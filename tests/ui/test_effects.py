"""Effects beside options, and choices for single layers, in a whole window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import Layer
from memplanner.plan import Plan
from memplanner.units import GIB, MIB
from memplanner_ui.engine import EngineState
from memplanner_ui.layer_edits import LinearLayers, marks, with_bits, with_ratio
from memplanner_ui.look import type as fonts
from memplanner_ui.main_window import MainWindow
from memplanner_ui.plan_panel.badge import Badge, Effect
from memplanner_ui.plan_panel.effect_words import shown
from memplanner_ui.run_form import RunForm, new_folder
from memplanner_ui.views.layer_model import MARK_ROLE
from tests.ui import sample
from tests.ui.acting import LONG, edit

CHECKPOINTING = "activation_checkpointing.policy"
LINEAR = ("self_attn.q_proj", "mlp.up_proj", "mlp.down_proj")
NAMES = tuple(f"model.layers.{block}.{name}" for block in range(4) for name in LINEAR)
LAYERS = LinearLayers((*NAMES, "lm_head"), frozenset())
PACKED = LinearLayers((*NAMES, "lm_head"), frozenset(NAMES))


def badge(window: MainWindow, key: str, value: str) -> Badge:
    rows = window.left.plan.sections()[key.split(".", 1)[0]].rows[key]
    found = rows.badge(value)
    assert found is not None
    return found


def wait_for_effects(qtbot: QtBot, window: MainWindow) -> None:
    """Until the badges are those of the plan as it is."""
    document = window.session.document
    qtbot.waitUntil(
        lambda: (
            document.estimate_is_current
            and window.effects.told_plan == document.plan
            and not window.effects.waits
        ),
        timeout=LONG,
    )


def test_each_option_shows_its_effect_before_it_is_chosen(qtbot: QtBot, opened: MainWindow) -> None:
    wait_for_effects(qtbot, opened)
    saving = badge(opened, CHECKPOINTING, "full")
    assert "−1.0 GiB" in saving.text()
    assert saving.effect is not None
    assert saving.effect.tone == "saves"
    assert saving.toolTip().startswith("Saves memory now: ")
    assert not saving.dimmed
    batch = badge(opened, "training.batch_size", "")
    assert batch.effect is not None
    assert batch.effect.at == "2"
    assert "at 4: " in batch.toolTip()
    assert badge(opened, CHECKPOINTING, "none").spoken == "chosen"
    refused = badge(opened, "quantization.method", "nf4")
    assert refused.spoken == "needs adapters"
    assert "freezes the weights" in refused.toolTip()
    assert badge(opened, "precision", "fp16").spoken == "same memory"


def test_folded_sections_show_the_best_that_they_offer(qtbot: QtBot, opened: MainWindow) -> None:
    wait_for_effects(qtbot, opened)
    sections = opened.left.plan.sections()
    offer = sections["activation_checkpointing"].fold.header.offer
    assert offer is not None
    assert offer.memory == "−1.0 GiB"
    assert sections["precision"].fold.header.offer is None  # nothing saves
    header = sections["quantization"].fold.header
    header.set_folded(True)
    assert "offers needs adapters" in header.accessibleName()


def test_effects_of_an_earlier_plan_are_dimmed_until_theirs_have_come(
    qtbot: QtBot, opened: MainWindow
) -> None:
    wait_for_effects(qtbot, opened)
    shown_one = badge(opened, CHECKPOINTING, "full")
    opened.session.edit("training.batch_size", 4)
    assert shown_one.dimmed
    assert shown_one.toolTip().startswith("Of the plan before")
    wait_for_effects(qtbot, opened)
    assert not shown_one.dimmed
    assert opened.session.engine.state is EngineState.READY


def test_nobody_waits_for_effects(qtbot: QtBot, opened: MainWindow) -> None:
    wait_for_effects(qtbot, opened)
    for size in (2, 3, 4, 5, 6):
        edit(qtbot, opened, "training.batch_size", size)
    wait_for_effects(qtbot, opened)
    assert badge(opened, "training.batch_size", "").effect is not None


def test_an_effect_in_words() -> None:
    refused = OptionEffect(
        key="quantization.method", value="nf4", kind="refused", refused="it freezes.",
        allocated_bytes=2 * GIB, allocated_difference_bytes=-GIB, needs="adapters.method=lora",
    )  # fmt: skip
    words = shown(refused, "fits", Plan)
    assert (words.memory, words.rest) == ("−1.0 GiB", "needs adapters")
    card = refused.model_copy(update={"runs_on": "gpu", "needs": ""})
    assert shown(card, "fits", Plan).memory == "GPU only"
    takes = OptionEffect(
        key="precision", value="fp32", kind="takes", allocated_bytes=3 * GIB,
        allocated_difference_bytes=GIB, verdict="does_not_fit",
    )  # fmt: skip
    words = shown(takes, "fits", Plan)
    assert (words.memory, words.rest, words.tone) == ("+1.0 GiB", "does not fit", "costs")
    device = takes.model_copy(
        update={"device_bytes": 4 * GIB, "device_difference_bytes": 200 * MIB, "verdict": "fits"}
    )
    words = shown(device, "fits", Plan)
    assert (words.memory, words.rest) == ("+200 MiB", "")
    assert "Allocated by tensors: +1.0 GiB" in words.tip
    numerics = OptionEffect(
        key="a", value="b", kind="numerics_only", allocated_bytes=GIB, allocated_difference_bytes=0
    )
    assert shown(numerics, None, Plan).memory == "numerics only"
    for needs, said in (
        ("inference.use=training", "needs training"),
        ("training.gradient_accumulation_steps=1", "needs accumulate 1"),
        ("adapters.method=lora", "needs adapters"),
    ):
        other = refused.model_copy(update={"needs": needs})
        assert shown(other, "fits", Plan).rest == said
    mends = numerics.model_copy(update={"kind": "possible", "allocated_difference_bytes": None})
    assert shown(mends, None, Plan).memory == "peak 1.0 GiB"


def test_a_badge_keeps_the_memory_where_there_is_little_room(qtbot: QtBot) -> None:
    label = Badge()
    qtbot.addWidget(label)
    label.set_effect(Effect("+13.6 GiB", "costs", "does not fit", at="128", size_bytes=1))
    label.show()  # its font is the style's from then on
    memory = QFontMetrics(fonts.semibold("secondary")).horizontalAdvance("+13.6 GiB") + 1
    beside = QFontMetrics(label.font()).horizontalAdvance
    for width, kept, gone in (
        (memory + beside("at 128: , does not fit"), ("at 128:", "+13.6 GiB", "does not fit"), ()),
        (memory + beside("128: "), ("128:", "+13.6 GiB"), ("at", "does not fit")),
        (memory + beside("↑ "), ("↑", "+13.6 GiB"), ("128:", "does not fit")),
        (memory, ("+13.6 GiB",), ("↑", "does not fit")),
        (memory - 2, ("…",), ("+13",)),
    ):
        label.resize(width, 20)
        label.show()
        assert all(words in label.text() for words in kept), width
        assert not any(words in label.text() for words in gone), width


# Choices for single layers


def test_bits_for_picked_layers_alone_where_nothing_was_quantized() -> None:
    picked = LAYERS.below(["model.layers.2"])
    plan = with_bits(Plan(), LAYERS, picked, "8")
    section = plan.quantization
    assert (section.method, section.bits, section.layers) == ("linear", 8, "named")
    assert section.target_modules == ("model.layers.2.*",)
    assert with_bits(Plan(), LAYERS, picked, "16") == Plan()
    assert with_bits(Plan(), LAYERS, picked, "nf4").quantization.method == "nf4"


def test_bits_for_picked_layers_beside_the_others() -> None:
    plan = Plan.parse({"quantization": {"method": "linear"}, "adapters": {"method": "lora"}})
    plan = with_bits(plan, PACKED, PACKED.below(["model.layers.0"]), "8")
    assert plan.quantization.per_layer == ("model.layers.0.*=8",)
    plan = with_bits(plan, PACKED, ["model.layers.3.mlp.up_proj"], "16")
    found = marks(plan, PACKED)
    assert found["model.layers.0.mlp.up_proj"] == "8-bit"
    assert found["model.layers.1.mlp.up_proj"] == "4-bit"
    assert found["model.layers.3.mlp.up_proj"] == "16-bit"
    assert "lm_head" not in found
    head = with_bits(plan, PACKED, ["lm_head"], "8").quantization
    assert head.layers == "named"  # or it would not be among those that are chosen
    assert "lm_head" in head.target_modules
    assert "lm_head=8" in head.per_layer
    assert with_bits(plan, PACKED, PACKED.names, None).quantization.per_layer == ()


def test_ratios_for_picked_layers() -> None:
    plan = with_ratio(Plan(), LAYERS, LAYERS.below(["model.layers.1.mlp"]), "0.5")
    assert plan.pruning.structure == "unstructured"
    plan = with_ratio(plan, LAYERS, ["model.layers.1.mlp.up_proj"], "0.75")
    assert plan.pruning.per_layer == ("model.layers.1.mlp.up_proj=0.75",)
    assert marks(plan, LAYERS)["model.layers.1.mlp.up_proj"] == "75 % pruned"


def test_an_adapters_own_layers_are_none_of_the_models() -> None:
    rows = [
        Layer(name="m.q_proj", type="Linear"),
        Layer(name="m.q_proj.base_layer", type="QuantizedLinear"),
        Layer(name="m.q_proj.lora_A.default", type="Linear"),
        Layer(name="m.norm", type="RMSNorm"),
    ]
    assert LinearLayers.of(rows) == LinearLayers(("m.q_proj",), frozenset({"m.q_proj"}))


def actions(menu: QMenu, words: str) -> QMenu:
    """The submenu whose title begins with ``words``."""
    found = next(action for action in menu.actions() if action.text().startswith(words)).menu()
    assert isinstance(found, QMenu)
    return found


def test_a_choice_in_the_tree_is_one_edit_that_can_be_undone(
    qtbot: QtBot, opened: MainWindow
) -> None:
    document, tree = opened.session.document, opened.workspace.layers.tree
    before = document.plan
    assert tree.select("lm_head")
    assert tree.picked() == ("lm_head",)
    menu = opened.layer_choices.menu()
    bits = actions(menu, "Keep in bits: lm_head")
    next(action for action in bits.actions() if action.text() == "4-bit").trigger()
    menu.deleteLater()
    assert document.plan.quantization.target_modules == ("lm_head",)
    assert document.history.undoText() == "lm_head: 4-bit"
    document.history.undo()
    assert document.plan == before
    tree.select("model.embed_tokens")
    menu = opened.layer_choices.menu()
    assert not actions(menu, "Keep in bits: no linear layer").isEnabled()
    menu.deleteLater()


def test_the_tree_marks_what_is_chosen_for_a_layer(qtbot: QtBot, opened: MainWindow) -> None:
    model = opened.workspace.layers.tree.layer_model
    opened.session.edit("quantization.method", "linear")
    edit(qtbot, opened, "quantization.per_layer", ["lm_head=16"])
    table = model.table
    assert table is not None
    index = model.index_of(table.node("lm_head") or 0)
    assert index.data(MARK_ROLE) == "16-bit"
    assert str(index.data(Qt.ItemDataRole.AccessibleTextRole)).endswith(", 16-bit")
    opened.session.edit("quantization.method", "none")
    assert index.data(MARK_ROLE) == ""


# Saving what a run compresses


def test_the_run_form_saves_only_what_is_compressed(qtbot: QtBot, tmp_path: Path) -> None:
    form = RunForm()
    qtbot.addWidget(form)
    real = sample.model_info().model_copy(update={"weights": "real"})
    packed = Plan.parse({"quantization": {"method": "linear"}})
    form.set_plan(packed, real)
    form.set_save(str(tmp_path / "new"))
    assert form.settings.save == str(tmp_path / "new")
    form.set_plan(Plan(), real)
    assert form.settings.save is None
    form.set_plan(packed, sample.model_info())  # random weights are worth nothing
    assert form.settings.save is None


def test_a_model_is_never_saved_among_other_files(tmp_path: Path) -> None:
    assert new_folder(str(tmp_path), "small") == tmp_path
    (tmp_path / "mine.txt").touch()
    assert new_folder(str(tmp_path), "small") == tmp_path / "small"
    (tmp_path / "small").mkdir()
    assert new_folder(str(tmp_path), "small") == tmp_path / "small-2"
