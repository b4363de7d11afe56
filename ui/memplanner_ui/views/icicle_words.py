"""What a tile of an icicle says when it is pointed at: who it is, what it holds, and its share."""

from __future__ import annotations

from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.views import stacked_bar
from memplanner_ui.views.icicle_data import ALL, COLUMNS, MODEL, TOP, Icicle
from memplanner_ui.views.icicle_layout import Tile, home
from memplanner_ui.views.parts import PARTS, distance, exact, lower, title_of


def size_bytes(icicle: Icicle, tile: Tile, column: str) -> int:
    """What a tile holds of ``column``."""
    _, size = icicle.spans(column)
    return int(size[tile.first : tile.stop].sum())


def share_of(icicle: Icicle, tile: Tile, column: str) -> float:
    """The share of a tile in the whole icicle, 0 to 1."""
    whole = int(icicle.spans(column)[1][home(icicle, column)])
    return size_bytes(icicle, tile, column) / whole if whole else 0.0


def share_words(share: float) -> str:
    """A share as it is read: ``8.6 %``, ``< 0.1 %``."""
    return f"{share * 100:.1f} %" if share >= 0.0005 else "< 0.1 %"


def name_of(icicle: Icicle, tile: Tile) -> str:
    """Who a tile is: the module's whole name, or what it is where it is none."""
    if tile.many > 1:
        above = icicle.module(tile.above) or icicle.title(tile.above)
        return translate("Views", "{count} narrow parts of {above}").format(
            count=format_count(tile.many), above=above
        )
    kind, title = icicle.kind(tile.first), icicle.title(tile.first)
    module = icicle.module(tile.first)
    count = int(icicle.count[tile.first])
    if kind == "group" and module:
        return translate("Views", "{module}.{title}, {count} alike blocks").format(
            module=module.rpartition(".")[0], title=title, count=format_count(count)
        )
    name = f"{module or icicle.title(MODEL)}: {title}" if kind == "own" else module or title
    if count == 1:
        return name
    return translate("Views", "{name} and {count} like it").format(
        name=name, count=format_count(count - 1)
    )


def words(icicle: Icicle, tile: Tile, column: str) -> str:
    """A line: ``model.layers.0.mlp, LlamaMLP, 208 MiB, 0.3 % of 79.6 GiB``."""
    whole = int(icicle.spans(column)[1][home(icicle, column)])
    kind = "" if tile.many > 1 else icicle.type(tile.first)
    size = format_bytes(size_bytes(icicle, tile, column))
    if column != ALL:
        size = translate("Views", "{size} of {part}").format(
            size=size, part=lower(title_of(column))
        )
    said = [name_of(icicle, tile), kind, size]
    if tile.many > 1 or tile.first not in (TOP, home(icicle, column)):
        share = share_words(share_of(icicle, tile, column))
        said.append(
            translate("Views", "{share} of {whole}").format(share=share, whole=format_bytes(whole))
        )
    missing = icicle.frame.missing_bytes
    if tile.first == TOP and missing and column == ALL:
        said.append(
            translate("Views", "{size} more than the card has").format(
                size=distance(whole, whole - missing)
            )
        )
    return ", ".join(part for part in said if part)


def tip(icicle: Icicle, tile: Tile, column: str) -> str:
    """The line, the bytes, and what they are made of, each on a line of its own."""
    parts = icicle.bytes[tile.first : tile.stop].sum(axis=0).tolist()
    lines = [words(icicle, tile, column), exact(size_bytes(icicle, tile, column))]
    lines += stacked_bar.words(parts[: len(PARTS)]).split(", ")
    if parts[COLUMNS.index("free")] and tile.many == 1 and tile.first == TOP:
        lines.append(translate("Views", "free {size}").format(size=format_bytes(parts[-1])))
    return "\n".join(line for line in lines if line)
