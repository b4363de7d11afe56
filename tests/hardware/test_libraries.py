import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import DeviceError
from memplanner.hardware.libraries import (
    cublas_workspace_bytes,
    cublaslt_workspace_bytes,
    product_workspaces,
)
from memplanner.messages.device import Device, DeviceKind
from memplanner.units import KIB, MIB

OLDER = 8_519_680
"""What one product leaves allocated on an Ampere card: https://github.com/pytorch/pytorch/issues/95668"""


def card(architecture: str, kind: DeviceKind = "cuda") -> Device:
    return Device(name="a card", kind=kind, memory_bytes=None, architecture=architecture)


@pytest.mark.parametrize(
    ("capability", "size"),
    [
        ((7, 5), OLDER),
        ((8, 0), OLDER),
        ((8, 9), OLDER),
        ((9, 0), 32 * MIB),
        ((10, 0), 32 * MIB),
        ((10, 3), 32 * MIB),
        ((12, 0), 32 * MIB),
        ((12, 1), 32 * MIB),
    ],
)
def test_the_default_is_torchs_for_the_architecture(capability: tuple[int, int], size: int) -> None:
    assert cublas_workspace_bytes(capability) == size


@pytest.mark.parametrize(
    ("config", "kibibytes"),
    [
        (":4096:8", 4096 * 8),
        (":16:8", 16 * 8),
        (":4096:2:16:8", 2 * 4096 + 8 * 16),
        (":4096:8:16:8", 8 * 4096 + 8 * 16),
        (":0:0", 0),
    ],
)
def test_a_setting_is_the_sum_of_its_pairs(config: str, kibibytes: int) -> None:
    for capability in [(8, 0), (9, 0)]:
        assert cublas_workspace_bytes(capability, config) == kibibytes * KIB


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**3)), min_size=1, max_size=4))
def test_any_pairs_add_up(pairs: list[tuple[int, int]]) -> None:
    config = "".join(f":{size}:{count}" for size, count in pairs)
    expected = sum(size * count for size, count in pairs) * KIB
    assert cublas_workspace_bytes((8, 0), config) == expected


@pytest.mark.parametrize("config", ["", "4096", ":4096", "big", ":a:b", ":9999999999:9999999999"])
def test_a_malformed_setting_is_one_sentence(config: str) -> None:
    with pytest.raises(DeviceError, match=r"^CUBLAS_WORKSPACE_CONFIG is “.*unset it\.$"):
        cublas_workspace_bytes((8, 0), config)


def test_cublaslt_shares_the_workspace_unless_it_is_kept_apart() -> None:
    assert cublaslt_workspace_bytes((9, 0)) == 0
    assert cublaslt_workspace_bytes((9, 0), unified="1") == 0
    assert cublaslt_workspace_bytes((9, 0), unified="0") == MIB
    assert cublaslt_workspace_bytes((9, 0), lt_size="2048", unified="0") == 2 * MIB


@pytest.mark.parametrize("size", ["", "x", "-1", "1.5", str(2**31)])
def test_a_malformed_size_of_cublaslt_is_one_sentence(size: str) -> None:
    with pytest.raises(DeviceError, match=r"^CUBLASLT_WORKSPACE_SIZE is “.*no number of KiB"):
        cublaslt_workspace_bytes((9, 0), lt_size=size, unified="0")


def test_a_training_step_keeps_one_for_forward_and_one_for_backward() -> None:
    assert product_workspaces(card("8.6"), {}) == (OLDER, OLDER)
    assert product_workspaces(card("9.0"), {}) == (32 * MIB, 32 * MIB)
    assert product_workspaces(card("9.0"), {}, threads=1) == (32 * MIB,)
    assert product_workspaces(card(""), {}) == (OLDER, OLDER), "unknown counts as 8.0"


def test_the_environment_changes_them() -> None:
    assert product_workspaces(card("9.0"), {"CUBLAS_WORKSPACE_CONFIG": ":0:0"}) == ()
    apart = {"TORCH_CUBLASLT_UNIFIED_WORKSPACE": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    assert product_workspaces(card("8.0"), apart) == (32 * MIB, MIB, 32 * MIB, MIB)
    with pytest.raises(DeviceError):
        product_workspaces(card("8.0"), {"CUBLAS_WORKSPACE_CONFIG": "much"})


def test_rocm_keeps_two_of_its_own() -> None:
    assert product_workspaces(card("gfx942", "rocm"), {}) == (128 * MIB, 76 * MIB) * 2
    assert product_workspaces(card("gfx1100", "rocm"), {}) == (32 * MIB, 76 * MIB) * 2
    own = {"HIPBLAS_WORKSPACE_CONFIG": ":1024:2", "HIPBLASLT_WORKSPACE_SIZE": "1024"}
    assert product_workspaces(card("gfx942", "rocm"), own) == (2 * MIB, MIB) * 2


@pytest.mark.parametrize("kind", ["cpu", "mps", "xpu"])
def test_other_devices_have_none(kind: DeviceKind) -> None:
    assert product_workspaces(card("", kind), {"CUBLAS_WORKSPACE_CONFIG": "not read"}) == ()
