"""What CUDA kernels take from torch's allocator while they run, beside results. Imports no torch.

Such scratch is allocated and freed inside one operation, so a recording of operations does not
see it; it counts in ``torch.cuda.max_memory_allocated`` all the same.

Sources, as of torch 2.13: ``aten/src/ATen/native/transformers/cuda/flash_attn/flash_api.cpp``
(``mha_bwd``), ``cuda/attention_backward.cu`` (``_efficient_attention_backward``) with
``cuda/mem_eff_attention/kernel_backward.h`` (``Params::workspace_size``) and
``kernels/cutlassB.h`` (``dispatch_cutlassB``), ``aten/src/ATen/native/cudnn/MHA.cpp`` and
``cudnn/Conv_v8.cpp`` (``run_conv_plan``).
"""

from __future__ import annotations

from typing import NamedTuple

from memplanner.hardware.margin import Margin

_FLOAT_BYTES = 4


class AttentionShape(NamedTuple):
    """The sizes of one call of attention; ``width`` is a head's, ``value_width`` its value's."""

    batch: int
    heads: int
    key_heads: int
    queries: int
    keys: int
    width: int
    value_width: int
    itemsize: int
    """Bytes of an element of query, key and value."""


def flash_backward_bytes(shape: AttentionShape) -> tuple[int, ...]:
    """Scratch of flash attention's backward: dQ summed in fp32, and per-head dK and dV.

    ``mha_bwd``: ``dq_accum`` of batch x queries (to 128) x heads x width (to 32, above 192 to
    256) and ``softmax_d`` in fp32; where query heads share a key's, ``dk_expanded`` and
    ``dv_expanded`` hold one for each query head. The parts are alive together.
    """
    queries = _up(shape.queries, 128)
    width = _up(shape.width, 8)
    rounded = _up(width, 32) if width <= 192 else 256
    summed = shape.batch * queries * shape.heads * rounded * _FLOAT_BYTES
    sums = shape.batch * shape.heads * queries * _FLOAT_BYTES
    if shape.heads == shape.key_heads:
        return summed, sums
    expanded = shape.batch * shape.keys * shape.heads * width * shape.itemsize
    return summed, sums, expanded, expanded


def cudnn_backward_bytes(shape: AttentionShape) -> Margin:
    """Scratch of cuDNN attention's backward, whose plan alone knows it (``MHA.cpp``).

    Expected is what the same algorithm takes in flash attention, dQ in fp32 and the row sums;
    at least the row sums, at most also dK and dV of every query head in fp32.
    """
    rows = shape.batch * shape.heads * _up(shape.queries, 128)
    sums = rows * _FLOAT_BYTES
    summed = rows * shape.width * _FLOAT_BYTES
    keys = shape.batch * shape.heads * _up(shape.keys, 128)
    expanded = keys * (shape.width + shape.value_width) * _FLOAT_BYTES
    return Margin(sums, sums + summed, sums + summed + expanded)


class _Tile(NamedTuple):
    """A kernel of memory-efficient attention's backward: rows of queries by rows of keys."""

    queries: int
    keys: int
    in_registers: bool
    """Whether dK and dV are summed in registers rather than in memory."""


def efficient_backward_bytes(
    shape: AttentionShape, capability: tuple[int, int], dropout: bool = False
) -> tuple[int, ...]:
    """Scratch of memory-efficient attention's backward on this compute capability.

    Row sums; a fp32 tile for each block of queries and column of the width, with its lock; where
    dK and dV do not fit in registers, those too. fp32 inputs need their row sums made of a product
    of gradient and output first, which is freed before the tiles are taken. The parts are alive
    together.
    """
    half = shape.itemsize == 2
    tile = _tile(shape, capability, dropout)
    rows = shape.batch * shape.heads
    delta = rows * shape.queries * _FLOAT_BYTES
    blocks = _ceil(shape.queries, tile.queries) * _ceil(shape.width, tile.keys)
    locked = blocks * (4 + tile.queries * tile.keys) if capability >= (7, 0) or half else 0
    tiles = rows * _up(locked, 4) * _FLOAT_BYTES
    if not half:
        product = rows * shape.queries * shape.value_width * _FLOAT_BYTES
        return delta, max(product, tiles)
    if tile.in_registers:
        return delta, tiles
    splits = _ceil(shape.keys, tile.keys) if capability >= (7, 0) else 1
    widths = _up(shape.width, tile.queries) + _up(shape.value_width, tile.queries)
    return delta, tiles, rows * splits * tile.keys * widths * _FLOAT_BYTES


def _tile(shape: AttentionShape, capability: tuple[int, int], dropout: bool) -> _Tile:
    """The first kernel of ``dispatch_cutlassB`` that has the width and fits in shared memory."""
    width = max(shape.width, shape.value_width)
    half = shape.itemsize == 2
    small = capability[0] in {8, 12} and capability != (8, 0)  # 99 KiB of shared memory a block
    if width <= 64:
        return _Tile(64, 64, half)
    if half and capability in {(8, 6), (8, 9)} and width <= 96 and not dropout:
        return _Tile(128, 64, in_registers=True)
    if capability < (8, 0) or small:
        return _Tile(64, 64, in_registers=False)
    if width <= 128:
        return _Tile(128, 128, in_registers=True) if half else _Tile(128, 64, in_registers=False)
    return _Tile(128, 64, in_registers=False)


def convolution_bytes(
    input_bytes: int, weight_bytes: int, output_bytes: int, channels_last: bool, tensor_cores: bool
) -> Margin:
    """Scratch of one cuDNN convolution, forward or either backward: an honest range.

    cuDNN's heuristics choose a plan, and torch allocates whatever workspace it states; without
    ``torch.backends.cudnn.benchmark`` there is no limit below the card's memory, with it the
    largest free block of the allocator (``get_available_workspace``). Tensor cores want the
    channels last, so other layouts are copied there: expected is one copy of each tensor. At
    most a second set of copies, for plans that work on transformed tiles or sum in pieces.
    """
    copies = input_bytes + weight_bytes + output_bytes
    expected = copies if tensor_cores and not channels_last else 0
    return Margin(0, expected, expected + copies)


def _up(number: int, multiple: int) -> int:
    return number + -number % multiple


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
