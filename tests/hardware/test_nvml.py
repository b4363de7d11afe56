import pynvml
import pytest

from memplanner.hardware import nvml
from tests.hardware.fake_driver import GIB, FakeCard, FakeDriver


def test_without_a_driver_there_are_no_cards_and_no_notes(driver: FakeDriver) -> None:
    driver.installed = False
    assert nvml.probe() == ((), ())
    assert nvml.used_bytes(0) is None


def test_a_card_is_told_as_torch_tells_it(driver: FakeDriver) -> None:
    driver.cards = [FakeCard()]
    (device,), notes = nvml.probe()
    assert notes == ()
    assert device.name == "NVIDIA H100 80GB HBM3"
    assert device.kind == "cuda"
    assert device.memory_bytes == 79 * GIB, "without what the driver keeps"
    assert device.used_bytes == 5 * GIB
    assert device.free_bytes == 74 * GIB
    assert device.architecture == "9.0"
    assert device.local
    assert device.selector == "cuda:0"


def test_an_older_driver_counts_what_it_keeps_as_used(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(name=b"Tesla T4")]
    driver.tells_reserved = False
    (device,), _ = nvml.probe()
    assert device.name == "Tesla T4"
    assert device.memory_bytes == 80 * GIB
    assert device.free_bytes == 74 * GIB


def test_a_card_without_memory_figures_has_none_and_a_note(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(fails={"memory": pynvml.NVML_ERROR_NOT_SUPPORTED}), FakeCard()]
    (first, second), notes = nvml.probe()
    assert (first.memory_bytes, first.used_bytes, first.free_bytes) == (None, 0, None)
    assert second.memory_bytes == 79 * GIB
    assert len(notes) == 1
    assert "H100" in notes[0]


def test_a_card_without_capability_has_an_empty_one(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(fails={"capability": pynvml.NVML_ERROR_UNKNOWN})]
    assert nvml.probe().devices[0].architecture == ""


def test_a_card_that_does_not_answer_is_left_out_with_a_note(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(fails={"name": pynvml.NVML_ERROR_GPU_IS_LOST}), FakeCard()]
    devices, notes = nvml.probe()
    assert [device.index for device in devices] == [1], "CUDA’s numbers stay"
    assert notes == ("The card cuda:0 does not answer, so it is left out.",)


def test_a_card_without_a_handle_is_left_out_with_a_note(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(), FakeCard(name="NVIDIA L4")]
    driver.dead = {0}
    devices, notes = nvml.probe()
    assert [device.name for device in devices] == ["NVIDIA L4"]
    assert len(notes) == 1


def test_a_driver_that_cannot_count_is_a_note(driver: FakeDriver) -> None:
    driver.counts = False
    devices, notes = nvml.probe()
    assert devices == ()
    assert len(notes) == 1


def test_a_divided_card_is_its_first_instance(driver: FakeDriver) -> None:
    slice_ = FakeCard(name="NVIDIA H100 80GB HBM3 MIG 1g.10gb", total=10 * GIB, reserved=0)
    driver.cards = [FakeCard(instances=[slice_])]
    (device,), _ = nvml.probe()
    assert device.name.endswith("MIG 1g.10gb")
    assert device.memory_bytes == 10 * GIB


def test_a_card_that_knows_no_mig_is_itself(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(fails={"mig": pynvml.NVML_ERROR_NOT_SUPPORTED})]
    assert nvml.probe().devices[0].memory_bytes == 79 * GIB


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1,0", ["b", "a"]),
        ("2", ["c"]),
        ("", []),
        ("-1", []),
        ("0,7,1", ["a"]),
        ("GPU-bbbb", ["b"]),
        ("GPU-cc", ["c"]),
        (" GPU-cc , 0 ", ["c", "a"]),
    ],
)
def test_only_visible_cards_are_seen(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch, visible: str, names: list[str]
) -> None:
    driver.cards = [FakeCard(name=letter, uuid=f"GPU-{letter * 4}") for letter in "abc"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    devices, notes = nvml.probe()
    assert [device.name for device in devices] == names
    assert [device.index for device in devices] == list(range(len(names)))
    assert notes == ()


def test_an_instance_is_visible_by_its_uuid(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = [FakeCard(name=f"slice {at}", uuid=f"MIG-{at}") for at in range(2)]
    driver.cards = [FakeCard(instances=slices)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1")
    assert [device.name for device in nvml.probe().devices] == ["slice 1"]


def test_an_unknown_uuid_is_a_note(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.cards = [FakeCard()]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-ffff")
    devices, notes = nvml.probe()
    assert devices == ()
    assert "GPU-ffff" in notes[0]


def test_memory_is_asked_anew_and_opens_the_driver_once(driver: FakeDriver) -> None:
    driver.cards = [FakeCard()]
    assert nvml.used_bytes(0) == 5 * GIB
    driver.cards[0].used = 7 * GIB
    assert nvml.used_bytes(0) == 7 * GIB
    now = nvml.memory(0)
    assert now is not None
    assert (now.total_bytes, now.free_bytes) == (79 * GIB, 72 * GIB)
    assert driver.opened == 1


def test_memory_of_a_card_that_is_not_there_or_is_lost_is_none(driver: FakeDriver) -> None:
    driver.cards = [FakeCard()]
    assert nvml.memory(1) is None
    assert nvml.memory(-1) is None
    driver.cards[0].fails["memory"] = pynvml.NVML_ERROR_GPU_IS_LOST
    assert nvml.memory(0) is None


def test_a_card_is_known_again_by_a_hash_of_its_uuid(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(uuid="GPU-1"), FakeCard(uuid="GPU-2")]
    first, second = nvml.identity(0), nvml.identity(1)
    assert first is not None
    assert first != second
    assert "GPU" not in first
    driver.cards.reverse()
    nvml.forget()
    assert nvml.identity(1) == first
    assert nvml.identity(2) is None


def test_a_card_without_a_uuid_has_no_identity(driver: FakeDriver) -> None:
    driver.cards = [FakeCard(fails={"uuid": pynvml.NVML_ERROR_NOT_SUPPORTED})]
    assert nvml.identity(0) is None


@pytest.mark.parametrize(("version", "told"), [("580.1", "580.1"), (b"5", "5"), (None, None)])
def test_the_drivers_version(
    driver: FakeDriver, version: str | bytes | None, told: str | None
) -> None:
    driver.version = version
    assert nvml.driver_version() == told
    nvml.forget()
    driver.installed = False
    assert nvml.driver_version() is None
