"""Opens a sample: its model, its device and its plan, as a plan that no file has."""

from __future__ import annotations

from PySide6.QtCore import QObject

from memplanner.plan.samples import Sample, samples
from memplanner_ui.language import translate
from memplanner_ui.session import Session
from memplanner_ui.start_page import StartPage


class SampleControl(QObject):
    """The start page's samples; the palette offers the same."""

    def __init__(self, session: Session, start: StartPage, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._wanted: Sample | None = None
        self._device = ""
        """The name of a device to plan for, until devices are known."""
        self.samples = samples()
        start.samples.chosen.connect(self.open)
        session.document.model_changed.connect(self._on_model)
        session.devices_changed.connect(self._choose_device)  # the engine may be on its way
        session.noticed.connect(lambda _: self._forget())  # it could not be opened, or was stopped

    def open(self, sample: Sample) -> None:
        """Opens the sample's model; its plan follows when the model is there.

        The device is planned for now, and not remembered as the user's own choice.
        """
        session = self._session
        if session.locked:
            session.open(sample.source)  # which says why not
            return
        self._wanted, self._device = sample, sample.device
        self._choose_device()
        session.open(sample.source)

    def _choose_device(self) -> None:
        if self._device and self._session.devices:
            name, self._device = self._device, ""
            devices = (one for one in self._session.devices if name in (one.selector, one.name))
            if (device := next(devices, None)) is not None:
                self._session.document.set_device(device)

    def _forget(self) -> None:
        self._wanted, self._device = None, ""

    def _on_model(self) -> None:
        document = self._session.document
        sample, self._wanted = self._wanted, None
        if sample is not None and document.model is not None and document.source == sample.source:
            document.set_plan(
                sample.plan, translate("Window", "sample “{title}”").format(title=sample.title)
            )
