import subprocess
import sys

import pytest

from memplanner.errors import DeviceError
from memplanner.hardware import find_device, host_memory, local_devices
from tests.hardware.fake_driver import GIB, FakeCard, FakeDriver


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("H100 80GB", "H100 80GB"),
        ("h100", "H100 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100 80GB"),
        ("H100-PCIe", "H100 PCIe 80GB"),
        ("h100 mig 3g.40gb", "H100 80GB MIG 3g.40gb"),
        ("A100 40GB", "A100 40GB"),
        ("A100 40", "A100 40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("rtx4090", "RTX 4090 24GB"),
        ("4090", "RTX 4090 24GB"),
        ("4070 ti", "RTX 4070 Ti 12GB"),
        ("rtx 3060 12gb", "RTX 3060 12GB"),
        ("RTX 3060 8 GB", "RTX 3060 8GB"),
        ("a6000", "RTX A6000 48GB"),
        ("Tesla T4", "T4 16GB"),
        ("mi300x", "MI300X 192GB"),
        ("M4 Max 128GB", "Apple M4 Max 128GB"),
    ],
)
def test_names_that_people_type(driver: FakeDriver, typed: str, name: str) -> None:
    assert find_device(typed).name == name


def test_the_cpu_has_the_hosts_memory(driver: FakeDriver) -> None:
    for typed in ("cpu", "CPU", " Cpu "):
        device = find_device(typed)
        assert device.kind == "cpu"
        assert device.local
        assert device.memory_bytes == host_memory().total_bytes
        assert device.used_bytes > 0


def test_auto_is_the_first_card_or_else_the_cpu(driver: FakeDriver) -> None:
    assert find_device("auto").kind == "cpu"
    driver.cards = [FakeCard(name="NVIDIA L4"), FakeCard()]
    from memplanner.hardware import nvml

    nvml.forget()
    assert find_device("AUTO").name == "NVIDIA L4"


def test_cards_of_this_machine(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(name="NVIDIA L4"), FakeCard(used=9 * GIB)]
    assert find_device("cuda").index == 0
    assert find_device("gpu").index == 0
    assert find_device("CUDA:1").used_bytes == 9 * GIB
    assert find_device("nvidia h100 80gb hbm3").used_bytes == 9 * GIB, "the one that is here"
    assert find_device("H100 80GB").used_bytes == 0, "a card to plan for"
    assert [device.selector for device in local_devices()] == ["cuda:0", "cuda:1", "cpu"]
    for device in local_devices():
        assert find_device(device.selector).name == device.name


def sentence(typed: str) -> str:
    with pytest.raises(DeviceError) as caught:
        find_device(typed)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_a_card_that_is_not_here(driver: FakeDriver) -> None:
    assert "has no CUDA card" in sentence("cuda")
    driver.cards = [FakeCard(), FakeCard()]
    from memplanner.hardware import nvml

    nvml.forget()
    assert sentence("cuda:2") == (
        "This machine has no card cuda:2; choose one of cuda:0 and cuda:1."
    )


def test_ambiguous_names_list_what_they_can_be(driver: FakeDriver) -> None:
    assert sentence("rtx 3060") == (
        "“rtx 3060” can be RTX 3060 12GB or RTX 3060 8GB; name one of them."
    )
    assert sentence("A100") == "“A100” can be A100 80GB or A100 40GB; name one of them."
    assert "RTX 6000 Ada 48GB" in sentence("rtx 6000")
    assert "more; name one of them" in sentence("mig")


def test_unknown_names_list_the_nearest(driver: FakeDriver) -> None:
    assert "the nearest is" in sentence("H10")
    assert "H100 80GB" in sentence("H10")
    assert "RTX 4090 24GB" in sentence("rtx 4091")
    assert "memplanner devices" in sentence("banana")
    assert "name one, such as cpu" in sentence("   ")
    assert "“cuda:x”" in sentence("cuda:x")


def test_importing_it_brings_nothing_heavy() -> None:
    code = (
        "import sys, memplanner.hardware as hardware; hardware.catalogue();"
        "print([name for name in ('torch', 'numpy', 'transformers', 'psutil', 'pynvml')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
