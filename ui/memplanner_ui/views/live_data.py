"""A run as arrays: samples laid along the steps, aligned with the prediction by phase.

The x axis is the step: step n lies from n − 1 to n, and inside a step each phase of each
micro-batch has the width it has in the prediction. A sample lies in its phase at the share of the
phase's time that has passed; when the phase ends, its samples are spread over its whole width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import Phase
from memplanner.messages.run import RunFigures, RunSample, RunStarted
from memplanner_ui.views.uses import round_of

Floats = npt.NDArray[np.float64]
_MISSING = float("nan")
_GUESS_SECONDS = 0.5
"""What a phase is taken to last before one like it has ended."""
_CAPACITY = 4096
_LAST_PHASES: tuple[Phase, ...] = ("optimizer_step", "between_steps")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase of one micro-batch in a step: its place from 0 to 1."""

    phase: Phase
    micro_batch: int
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted curve of one step, with every micro-batch of the plan."""

    x: Floats
    y: Floats
    stretches: tuple[Stretch, ...]

    @property
    def micro_batches(self) -> int:
        """How many there are in a step."""
        return max((s.micro_batch for s in self.stretches), default=0) + 1


def prediction_of(figures: RunFigures, micro_batches: int) -> Prediction:
    """The step's curve; the last micro-batch predicted stands for those that follow it."""
    curve = np.array(figures.curve_bytes, np.float64)
    phases = figures.curve_phases
    if not len(curve) or len(phases) != len(curve):
        return _flat(figures, micro_batches)
    pieces = _pieces(phases)
    last = max(micro_batch for _, micro_batch, _, _ in pieces)
    body = [piece for piece in pieces if piece[1] == last and piece[0] in ("forward", "backward")]
    after = next(
        (i for i, p in enumerate(pieces) if p[0] not in ("forward", "backward", "load")),
        len(pieces),
    )
    more = [
        (phase, micro_batch, start, stop)
        for micro_batch in range(last + 1, micro_batches)
        for phase, _, start, stop in body
    ]
    # What follows the last micro-batch (the optimizer step) belongs to it.
    ends = [
        (p, max(last + 1, micro_batches) - 1, start, stop) for p, _, start, stop in pieces[after:]
    ]
    pieces[after:] = [*more, *ends]
    total = sum(stop - start for *_, start, stop in pieces)
    xs, ys, stretches, passed = [], [], [], 0
    for phase, micro_batch, start, stop in pieces:
        count = stop - start
        xs.append((passed + np.arange(count)) / total)
        ys.append(curve[start:stop])
        stretches.append(Stretch(phase, micro_batch, passed / total, (passed + count) / total))
        passed += count
    return Prediction(np.concatenate(xs), np.concatenate(ys), tuple(stretches))


def _pieces(phases: tuple[Phase, ...]) -> list[tuple[Phase, int, int, int]]:
    """Runs of one phase: the phase, its micro-batch, first point, point after the last."""
    result: list[tuple[Phase, int, int, int]] = []
    forwards = -1
    start = 0
    for place in range(1, len(phases) + 1):
        if place < len(phases) and phases[place] == phases[start]:
            continue
        phase = phases[start]
        forwards += phase == "forward"
        result.append((phase, max(forwards, 0), start, place))
        start = place
    return result


def _flat(figures: RunFigures, micro_batches: int) -> Prediction:
    """Without a curve: the highest of each phase, all phases of the same width."""
    order: list[tuple[Phase, int]] = []
    for micro_batch in range(micro_batches):
        order += [("forward", micro_batch), ("backward", micro_batch)]
    order.append(("optimizer_step", micro_batches - 1))
    count = len(order)
    stretches = [Stretch(p, m, i / count, (i + 1) / count) for i, (p, m) in enumerate(order)]
    x = np.array([edge for s in stretches for edge in (s.left, s.right)])
    y = np.array([float(figures.by_phase.get(s.phase, 0)) for s in stretches for _ in (0, 1)])
    return Prediction(x, y, tuple(stretches))


class LiveData:
    """Samples of one run, in arrays that grow."""

    def __init__(self, started: RunStarted) -> None:
        self.prediction = prediction_of(
            started.predicted, started.plan.training.gradient_accumulation_steps
        )
        self.steps = started.steps
        self.word = round_of(started.plan)
        """What the run does again and again."""
        self._decodes = started.plan.inference.new_tokens - 1
        self.count = 0
        self.step = 0
        self.micro_batch = 0
        self._arrays = np.empty((6, _CAPACITY))
        self._places = {(s.phase, s.micro_batch): s for s in self.prediction.stretches}
        self._durations: dict[tuple[Phase, int], float] = {}
        self._phase: tuple[int, Phase, int] | None = None
        self._since = 0.0
        self._first = 0
        self._repeated: tuple[tuple[float, float, int], tuple[Floats, Floats]] | None = None
        """What was last asked of the prediction, and the answer."""

    def _row(self, row: int) -> Floats:
        result: Floats = self._arrays[row, : self.count]
        return result

    @property
    def x(self) -> Floats:
        """Where each sample lies, in steps."""
        return self._row(0)

    @property
    def seconds(self) -> Floats:
        """When each sample was taken."""
        return self._row(1)

    @property
    def allocated(self) -> Floats:
        """Bytes allocated at each sample."""
        return self._row(2)

    @property
    def highest(self) -> Floats:
        """The highest allocated since the sample before."""
        return self._row(3)

    @property
    def reserved(self) -> Floats:
        """Bytes reserved; NaN where not known."""
        return self._row(4)

    @property
    def device(self) -> Floats:
        """Bytes used on the whole device, or the process's on the CPU; NaN where not known."""
        return self._row(5)

    def add(self, sample: RunSample) -> None:
        """Takes a sample; those before the first step have no place in a step and are left out."""
        if sample.step < 1 or sample.phase == "load":
            return
        step = self._step_of(sample)
        at = (step, sample.phase, sample.micro_batch)
        if at != self._phase:
            self._phase_ended(sample.seconds)
            self._phase, self._since, self._first = at, sample.seconds, self.count
        if self.count == self._arrays.shape[1]:
            self._arrays = np.concatenate([self._arrays, np.empty_like(self._arrays)], axis=1)
        self.step, self.micro_batch = step, sample.micro_batch
        stretch = self._stretch(sample.phase, sample.micro_batch)
        expected = self._durations.get((sample.phase, sample.micro_batch), _GUESS_SECONDS)
        share = min(0.98, (sample.seconds - self._since) / max(expected, 1e-6))
        x = step - 1 + stretch.left + share * (stretch.right - stretch.left)
        if self.count:
            x = max(x, float(self._arrays[0, self.count - 1]))
        self._arrays[:, self.count] = (
            x,
            sample.seconds,
            sample.allocated_bytes,
            max(sample.highest_bytes, sample.allocated_bytes),
            _MISSING if sample.reserved_bytes is None else sample.reserved_bytes,
            _MISSING if sample.device_bytes is None else sample.device_bytes,
        )
        self.count += 1

    def _step_of(self, sample: RunSample) -> int:
        """The step that a sample belongs to.

        A step is counted before its first phase begins: until then samples are in the last phase
        of the step before.
        """
        last = self._phase
        stays = last is not None and last[1] == sample.phase and last[0] == sample.step - 1
        return sample.step - 1 if stays and sample.phase in _LAST_PHASES else sample.step

    def _phase_ended(self, seconds: float) -> None:
        """Spreads the samples of the phase that ended over its whole width."""
        if self._phase is None:
            return
        step, phase, micro_batch = self._phase
        duration = max(seconds - self._since, 1e-6)
        self._durations[(phase, micro_batch)] = duration
        stretch = self._stretch(phase, micro_batch)
        taken = slice(self._first, self.count)
        share = (self._arrays[1, taken] - self._since) / duration
        self._arrays[0, taken] = step - 1 + stretch.left + share * (stretch.right - stretch.left)

    def _stretch(self, phase: Phase, micro_batch: int) -> Stretch:
        found = self._places.get((phase, micro_batch))
        decode = self._places.get(("decode", 0))
        if phase == "decode" and decode is not None:  # a token after the other
            width = (decode.right - decode.left) / max(1, self._decodes)
            left = decode.left + micro_batch * width
            return Stretch(phase, micro_batch, left, left + width)
        if found is not None:
            return found
        same = [s for s in self.prediction.stretches if s.phase == phase]
        if same:
            return same[-1]
        # A phase without a place of its own (between steps) lies at the end of the step.
        return Stretch(phase, micro_batch, 1.0, 1.0)

    def now(self) -> float:
        """Where the last sample lies."""
        return float(self._arrays[0, self.count - 1]) if self.count else 0.0

    def x_at(self, seconds: float) -> float:
        """Where the sample at or after ``seconds`` lies."""
        if not self.count:
            return 0.0
        place = int(np.searchsorted(self.seconds, seconds))
        return float(self.x[min(place, self.count - 1)])

    def predicted_between(self, left: float, right: float, pixels: int) -> tuple[Floats, Floats]:
        """The predicted curve, repeated for the steps from ``left`` to ``right``, and thinned.

        One step is thinned to its share of ``pixels`` before it is repeated. The same arrays come
        back for as long as the same is asked for, which is most frames.
        """
        asked = left, right, pixels
        if self._repeated is None or self._repeated[0] != asked:
            x, y = self._repeat(left, right, pixels)
            self._repeated = asked, flat_left_out(*decimate(x, y, y, left, right, pixels))
        return self._repeated[1]

    def _repeat(self, left: float, right: float, pixels: int) -> tuple[Floats, Floats]:
        first, last = int(np.floor(left)), int(np.ceil(right))
        steps = np.arange(max(0, first), max(first + 1, last))
        one = self.prediction
        share = max(1, round(pixels / (right - left)))
        x, y = decimate(one.x, one.y, one.y, 0.0, 1.0, share)
        return (steps[:, None] + x[None, :]).ravel(), np.tile(y, len(steps))


def decimate(
    x: Floats, low: Floats, high: Floats, left: float, right: float, pixels: int
) -> tuple[Floats, Floats]:
    """At most two points a pixel from ``left`` to ``right``: highest and lowest of each, by turns.

    Points just outside are kept, so that lines reach the edges. NaN values are left out.
    """
    inside = _inside(x, left, right)
    if np.isnan(low[inside]).any():
        known = ~np.isnan(low)
        x, low, high = x[known], low[known], high[known]
        inside = _inside(x, left, right)
    x, low, high = x[inside], low[inside], high[inside]
    pixels = max(1, pixels)
    if len(x) <= pixels:
        same = low is high or bool((low == high).all())
        return (x, low) if same else (np.repeat(x, 2), _interleave(high, low))
    edges = left + (right - left) / pixels * np.arange(pixels + 1)
    first = np.concatenate([[0], np.searchsorted(x, edges)])
    first = first[(np.diff(first, prepend=-1) > 0) & (first < len(x))]  # they rise: each once
    lows, highs = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
    # down in one column and up in the next: from each to the next it is a short way, and painting
    # takes by the pixel
    lows[1::2], highs[1::2] = highs[1::2], lows[1::2].copy()
    return np.repeat(x[first], 2), _interleave(highs, lows)


def flat_left_out(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The same line with no point inside a level stretch: what painting takes is by the point."""
    if len(x) < 3:
        return x, y
    kept = np.ones(len(x), bool)
    kept[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return x[kept], y[kept]


def _inside(x: Floats, left: float, right: float) -> slice:
    """The points from ``left`` to ``right``, and one on each side."""
    start = max(0, int(np.searchsorted(x, left)) - 1)
    return slice(start, min(len(x), int(np.searchsorted(x, right, "right")) + 1))


def _interleave(a: Floats, b: Floats) -> Floats:
    result = np.empty(2 * len(a))
    result[0::2], result[1::2] = a, b
    return result
