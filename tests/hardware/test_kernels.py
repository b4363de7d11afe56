import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.hardware.kernels import (
    AttentionShape,
    convolution_bytes,
    cudnn_backward_bytes,
    efficient_backward_bytes,
    flash_backward_bytes,
)
from memplanner.units import MIB

CAPABILITIES = [(7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)]

shapes = st.builds(
    lambda batch, groups, per_group, queries, keys, width, value, itemsize: AttentionShape(
        batch, groups * per_group, groups, queries, keys, 8 * width, 8 * value, itemsize
    ),
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 600),
    st.integers(1, 600), st.integers(1, 32), st.integers(1, 32), st.sampled_from([2, 4]),
)  # fmt: skip
LLAMA = AttentionShape(2, 32, 8, 2048, 2048, 128, 128, 2)


def test_flash_sums_the_querys_gradient_in_single_precision() -> None:
    alone = LLAMA._replace(key_heads=32)
    query = 2 * 32 * 2048 * 128
    assert sum(flash_backward_bytes(alone)) == 4 * query + 4 * 2 * 32 * 2048
    expanded = sum(flash_backward_bytes(LLAMA)) - sum(flash_backward_bytes(alone))
    assert expanded == 2 * 2 * query, "dK and dV of every query head, in half precision"


def test_flash_rounds_lengths_and_widths() -> None:
    def of(queries: int, width: int) -> int:
        return sum(flash_backward_bytes(AttentionShape(1, 1, 1, queries, 1, width, width, 2)))

    assert of(1, 64) == of(128, 64) == 4 * 128 * (64 + 1)
    assert of(128, 80) == of(128, 96)
    assert of(128, 200) == of(128, 256)


@given(shapes, st.sampled_from(CAPABILITIES), st.booleans())
def test_scratch_grows_with_the_batch_alone(
    shape: AttentionShape, capability: tuple[int, int], dropout: bool
) -> None:
    twice = shape._replace(batch=2 * shape.batch)
    assert sum(flash_backward_bytes(twice)) == 2 * sum(flash_backward_bytes(shape))
    assert sum(efficient_backward_bytes(twice, capability, dropout)) == 2 * sum(
        efficient_backward_bytes(shape, capability, dropout)
    )


@given(shapes)
def test_cudnns_margin_is_ordered_and_holds_the_row_sums(shape: AttentionShape) -> None:
    margin = cudnn_backward_bytes(shape)
    assert 0 < margin.low_bytes <= margin.expected_bytes <= margin.high_bytes


def test_efficient_holds_at_least_the_querys_gradient() -> None:
    alone = LLAMA._replace(key_heads=32)
    query = 4 * 2 * 32 * 2048 * 128
    tiles = 2 * 32 * 2048 // 128 * 16
    rows = 4 * 2 * 32 * 2048
    assert sum(efficient_backward_bytes(alone, (8, 0))) == query + tiles + rows
    assert sum(efficient_backward_bytes(alone, (8, 6))) > 2 * query, (
        "dK and dV too: less shared memory"
    )


def test_single_precision_first_makes_a_product_of_gradient_and_output() -> None:
    shape = AttentionShape(1, 1, 1, 64, 64, 64, 256, 4)
    product = 4 * 64 * 256 + 4 * 64
    assert sum(efficient_backward_bytes(shape, (8, 0))) >= product


@pytest.mark.parametrize(
    ("channels_last", "tensor_cores", "copies"),
    [(False, True, 1), (True, True, 0), (False, False, 0)],
)
def test_a_convolution_copies_what_is_not_laid_out_for_it(
    channels_last: bool, tensor_cores: bool, copies: int
) -> None:
    margin = convolution_bytes(4 * MIB, MIB, 8 * MIB, channels_last, tensor_cores)
    assert margin.low_bytes == 0
    assert margin.expected_bytes == copies * 13 * MIB
    assert margin.high_bytes == (copies + 1) * 13 * MIB
