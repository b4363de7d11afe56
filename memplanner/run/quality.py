"""What compression costs and saves: the model judged before and after, on its real weights.

It happens between loading and training, so that no step is measured with anything of it alive.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.messages.run import QualityFigures, QualityReport
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.run.layer_outputs import LayerOutputs
from memplanner.run.out_of_memory import is_out_of_memory
from memplanner.run.quality_data import QualityData, quality_data
from memplanner.run.saving import Names, save_compressed
from memplanner.run.tensor_file import file_bytes
from memplanner.run.wording import loss_words
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import cast_batch
from memplanner.techniques.quantization import convert_trained, trains_rounded
from memplanner.units import format_bytes

MOST_SECONDS = 60.0
"""For the uncompressed model; what it was judged on by then is what the other is judged on."""
TIMED = 3
"""Forward passes that a speed is taken from, at least; one more comes before them."""
_ROOM = 1.25
"""Free memory over the model's own, before it moves to a card only to be judged."""


@dataclass(slots=True)
class Judge:
    """Sees a module before and after its compression; ``report`` is None where it cannot say."""

    model: Model
    plan: Plan
    device: torch.device
    data_path: str | None
    say: Callable[[str, str], None]
    """Takes a line of the progress list: title and detail."""
    stopped: Callable[[], bool]
    judging: bool = True
    save: Path | None = None
    notes: list[str] = field(default_factory=list)
    report: QualityReport | None = None
    saved: str | None = None
    work: str = ""
    """What it does now, for the sentence of a failure; empty where it does nothing."""
    _data: QualityData | None = None
    _before: QualityFigures | None = None
    _outputs: LayerOutputs = field(default_factory=LayerOutputs)
    _names: Names = field(default_factory=Names)
    _seconds: float = 0.0
    _since: float = 0.0

    def before(self, module: nn.Module) -> None:
        """The next technique changes weights' values."""
        self._names = Names.of(module)
        if self.judging and not self.stopped():
            self._data = self._read_data()
        if self._data is not None:
            with self._working("judging the uncompressed model", module), self._on_device(module):
                watching = self._outputs.watching(module)
                self._before = self._judged(module, MOST_SECONDS, watching)
        if self._before is not None:
            self.say("Uncompressed model judged", self._words(self._before))

    def after(self, module: nn.Module) -> None:
        """The last one that changes weights' values is through."""
        before = self._before
        if before is not None and not self.stopped():
            with self._working("judging the compressed model", module):
                module.to(self.device)
                after = self._judged(module, math.inf, nullcontext())
                if after is not None:
                    self._compare(module, before, after)
            if self.report is not None:
                self.say("Compressed model judged", self._words(self.report.after))
        self._outputs = LayerOutputs()
        if not trains_rounded(self.plan) and not self.stopped():
            self._save(module, self.plan)
        self.work = ""

    def after_training(self, module: nn.Module) -> None:
        """Packs and saves what was trained in order to be packed."""
        if trains_rounded(self.plan) and self.save is not None:
            self._save(module, convert_trained(module, self.plan))

    def _save(self, module: nn.Module, plan: Plan) -> None:
        if self.save is None:
            return
        self.work = "saving the compressed model"
        self.notes += save_compressed(self.save, module, self._names, self.model, plan)
        self.saved = str(self.save)
        size_bytes = file_bytes(self._names.saved(module))
        self.say("Compressed model saved", f"{self.save}, {format_bytes(size_bytes)}")

    def _read_data(self) -> QualityData | None:
        """What it is judged on. A text that cannot be read is a note: a run may do without it."""
        try:
            return quality_data(self.model, self.data_path)
        except SourceError as error:
            self.notes.append(f"What compression costs is not judged: {error}")
            return None

    def _compare(self, module: nn.Module, before: QualityFigures, after: QualityFigures) -> None:
        """The report, with what each layer makes of the same inputs."""
        assert self._data is not None
        with self._autocast(self.device):
            layers = self._outputs.compare(module)
        if layers is None:
            self.notes.append("Layers went away, so their outputs are not compared one by one.")
        elif self._outputs.reshaped:
            self.notes.append(
                f"{self._outputs.reshaped} layers have other shapes than before, so their outputs "
                "are not compared."
            )
        self.report = QualityReport(
            data=self._data.description,
            unit=self._data.unit,
            count=self._data.count,
            before=before,
            after=after,
            layers=layers or (),
            seconds=self._seconds + monotonic() - self._since,
        )

    def _judged(
        self, module: nn.Module, most_seconds: float, around_first: AbstractContextManager[None]
    ) -> QualityFigures | None:
        """Its figures; None where it was stopped. After ``most_seconds`` the rest is left out."""
        assert self._data is not None
        device = next(module.parameters()).device
        batches, started = self._data.batches, monotonic()
        losses: list[float | None] = []
        seconds: list[float] = []
        for batch in batches:
            if self.stopped():
                return None
            if losses and monotonic() - started > most_seconds:
                break
            with nullcontext() if losses else around_first:
                loss, took = self._forward(module, batch, device)
            losses.append(loss)
            seconds.append(took)
        if len(losses) < len(batches):
            self._data = self._data.shortened(len(losses))
        while len(seconds) <= TIMED and not self.stopped():
            seconds.append(self._forward(module, batches[0], device)[1])
        known = [loss for loss in losses if loss is not None]
        mean = sum(known) / len(known) if known else None
        typical = median(seconds[1:] or seconds)
        return QualityFigures(
            loss=mean,
            perplexity=_perplexity(mean) if self._data.next_token else None,
            memory_bytes=memory_bytes(module),
            disk_bytes=file_bytes(self._names.saved(module)),
            per_second=self._data.each / typical if device.type == self.device.type else None,
        )

    def _forward(
        self, module: nn.Module, batch: Batch, device: torch.device
    ) -> tuple[float | None, float]:
        """The loss, where there is one, and seconds of the forward alone."""
        placed = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value
            for name, value in cast_batch(batch, self.plan).items()
        }
        _finish(device)
        started = perf_counter()
        with torch.no_grad(), self._autocast(device):
            output = module(**placed)
        _finish(device)
        seconds = perf_counter() - started
        try:
            return float(self.model.loss(output)), seconds
        except SourceError:  # the sum that stands in for a loss says nothing of quality
            return None, seconds

    def _autocast(self, device: torch.device) -> torch.autocast:
        dtype = autocast_type(self.plan)
        return torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)

    @contextmanager
    def _working(self, work: str, module: nn.Module) -> Iterator[None]:
        """In evaluation mode. That memory does not suffice is a note, and ends nothing."""
        self.work = work
        self._since = monotonic()
        training = [part for part in module.modules() if part.training]
        module.eval()
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.notes.append(
                f"Memory ran out while {work}, so there is no report on its quality; free some, or "
                "judge on a larger device."
            )
        finally:
            for part in training:
                part.training = True
            self._seconds += monotonic() - self._since
            _give_back(self.device)
        self.work = ""

    @contextmanager
    def _on_device(self, module: nn.Module) -> Iterator[None]:
        """On the run's device where it fits, and back in host memory afterwards."""
        home = next(module.parameters()).device
        if home.type == self.device.type:
            yield
            return
        free, _ = torch.cuda.mem_get_info(self.device)
        if memory_bytes(module) * _ROOM > free:
            self.notes.append(
                "The uncompressed model does not fit on the device, so it was judged in host "
                "memory and its speed is not compared."
            )
            yield
            return
        module.to(self.device)
        try:
            yield
        finally:
            module.to(home)

    def _words(self, figures: QualityFigures) -> str:
        assert self._data is not None
        words = [self._data.description, format_bytes(figures.memory_bytes)]
        if figures.perplexity is not None:
            words.insert(0, f"perplexity {loss_words(figures.perplexity)}")
        elif figures.loss is not None:
            words.insert(0, f"loss {loss_words(figures.loss)}")
        return ", ".join(words)


def memory_bytes(module: nn.Module) -> int:
    """What parameters and buffers take: every storage once."""
    found = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(found.values())


def _perplexity(loss: float | None) -> float | None:
    if loss is None:
        return None
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def _finish(device: torch.device) -> None:
    """Waits for a card: its kernels run on after a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _give_back(device: torch.device) -> None:
    """What judging took must not be there when a step is measured, cached by torch or not."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
