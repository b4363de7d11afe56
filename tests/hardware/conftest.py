from collections.abc import Iterator

import pynvml
import pytest

from memplanner.hardware import nvml
from tests.hardware.fake_driver import FakeDriver


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    """A driver without cards; a test puts some in."""
    fake = FakeDriver()
    nvml.forget()
    with monkeypatch.context() as patch:
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        for name in dir(fake):
            if name.startswith("nvml"):
                patch.setattr(pynvml, name, getattr(fake, name))
        yield fake
        nvml.forget()
    assert fake.opened == 0
