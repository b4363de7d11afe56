"""Requests about the open model: opening it, estimates, layers, modules, exports."""

from __future__ import annotations

from functools import partial
from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING

from memplanner.errors import SourceError
from memplanner.garbage import nothing_here_is_waste, without_collection
from memplanner.messages import protocol
from memplanner.messages.protocol import AnyRequest
from memplanner.server.ahead_work import AheadWork
from memplanner.server.channel import Channel
from memplanner.server.compare_work import CompareWork
from memplanner.server.effects_work import EffectsWork
from memplanner.server.guard import guarded, logged
from memplanner.server.next_step import Circumstances, NextStep
from memplanner.server.search_work import Searches

if TYPE_CHECKING:
    from memplanner.estimate import Prediction
    from memplanner.model import Model


class ModelWork:
    """Keeps the last model and its last estimate. torch is imported when it is first needed."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._model: Model | None = None
        self._prediction: Prediction | None = None
        self._effects: EffectsWork | None = None
        self._comparison: CompareWork | None = None
        self.searches = Searches(channel)
        self._ahead: AheadWork | None = None
        self.next_step = NextStep()
        self.idle_work_waits = False
        self.interruption = Event()
        """Set when a request has come: what is done in idle moments is given up."""

    @property
    def effects_wait(self) -> bool:
        """Whether effects of options are still to be told."""
        return self._effects is not None

    @property
    def comparison_waits(self) -> bool:
        """Whether plans are still to be compared."""
        return self._comparison is not None

    @property
    def looks_ahead(self) -> bool:
        """Whether something is left to record for a search to come."""
        return self._ahead is not None and self._ahead.waits

    @property
    def model(self) -> Model:
        """The open model. Raises ``SourceError`` when there is none."""
        if self._model is None:
            raise SourceError("No model is open; open one first.")
        return self._model

    @property
    def prediction(self) -> Prediction:
        """The last estimate. Raises ``SourceError`` when there is none."""
        if self._prediction is None:
            raise SourceError("Nothing has been estimated yet; open a model first.")
        return self._prediction

    def answer(self, request: AnyRequest) -> bool:
        """Answers one request; errors are raised."""
        if isinstance(request, protocol.WarmUp):
            self._warm_up(request)
        elif isinstance(request, protocol.OpenModel):
            self._open(request)
        elif isinstance(request, protocol.MakeEstimate):
            with without_collection():  # it would take longer than many an answer
                self._estimate(request)
        elif isinstance(request, protocol.ListEffects):
            self._supersede_effects()
            self._effects = EffectsWork(request, self.model, self._channel)
        elif isinstance(request, protocol.ComparePlans):
            self._supersede_comparison()
            self._comparison = CompareWork(request, self.model, self._channel)
        elif isinstance(
            request, protocol.SearchPlans | protocol.StopSearch | protocol.FindSmallestChange
        ):
            known = None if self._ahead is None else self._ahead.evaluation
            self.searches.take(request, self.model, known)
        elif isinstance(request, protocol.ListLayers):
            layers = self.prediction.layers_at(request.moment)
            self._channel.send(protocol.Layers(id=request.id, moment=request.moment, layers=layers))
        elif isinstance(request, protocol.DescribeModule):
            self._describe(request)
        elif isinstance(request, protocol.DescribeRun):
            self._describe_run(request)
        elif isinstance(request, protocol.ListTargets):
            from memplanner.export import targets

            self._channel.send(protocol.Targets(id=request.id, targets=targets()))
        elif isinstance(request, protocol.ExportPlan):
            self._export(request)
        return True

    def make_next_step(self) -> None:
        """Makes the estimate that the next edit will most likely ask for."""
        with without_collection():  # an edit may already wait for it
            logged(partial(self.next_step.go_on, self.model, self.interruption))

    def do_idle_work(self) -> None:
        """Records what the next change of batch or sequence will need."""
        from memplanner.tape.interruption import Interrupted, interruptible

        self.idle_work_waits = False
        if self._prediction is None:
            return
        try:
            with interruptible(self.interruption):
                self._prediction.prepare_changes()
        except Interrupted:
            self.idle_work_waits = True

    def look_ahead(self) -> None:
        """Records a little more of what a search would."""
        if self._ahead is not None:
            logged(partial(self._ahead.go_on, self.interruption))

    def tell_effect(self) -> None:
        """Tells the next of the effects that are asked for."""
        work, more = self._effects, False

        def go_on() -> bool:
            nonlocal more
            more = work is not None and work.go_on(self.interruption)
            return True

        if work is not None:
            guarded(work.request, self._channel, go_on)
        if not more:
            self._effects = None

    def compare_next(self) -> None:
        """Estimates the next of the plans that are compared."""
        work, more = self._comparison, False

        def go_on() -> bool:
            nonlocal more
            more = work is not None and work.go_on(self.interruption)
            return True

        if work is not None:
            guarded(work.request, self._channel, go_on)
        if not more:
            self._comparison = None

    def _supersede_comparison(self) -> None:
        if self._comparison is not None:
            self._comparison.supersede()
            self._comparison = None

    def _supersede_effects(self) -> None:
        if self._effects is not None:
            self._effects.supersede()
            self._effects = None

    def _warm_up(self, request: protocol.WarmUp) -> None:
        started = perf_counter()
        import memplanner.estimate  # noqa: F401  (imported to be ready)
        from memplanner.model.hugging_face import warm_up

        warm_up()
        nothing_here_is_waste()
        self._channel.send(protocol.Ready(id=request.id, seconds=perf_counter() - started))

    def _open(self, request: protocol.OpenModel) -> None:
        from memplanner.model import load
        from memplanner.model.first_plan import default_plan

        self._supersede_effects()
        self._supersede_comparison()
        self.searches.supersede()
        self._channel.send(protocol.Progress(id=request.id, text=f"Opening {request.source}"))
        model = load(request.source, inputs=request.inputs, trust_code=request.trust_code)
        self._model, self._prediction, self._ahead = model, None, None
        self.next_step.forget()
        self._channel.send(
            protocol.Opened(
                id=request.id,
                model=model.info(),
                plan=default_plan(model),
                notes=model.notes,
            )
        )

    def _estimate(self, request: protocol.MakeEstimate) -> None:
        from memplanner.estimate import estimate
        from memplanner.hardware import find_device
        from memplanner.run.keeping import known_calibration

        if self._effects is not None and not self._effects.is_of(request.plan, request.device):
            self._supersede_effects()
        device = find_device(request.device)
        calibration, trouble = known_calibration(device)
        asked = Circumstances(request.plan, request.rank, device, calibration)
        self._prediction = self.next_step.taken(asked) or estimate(
            self.model, request.plan, device, calibration=calibration, rank=request.rank
        )
        self._tell(request, self._prediction, trouble)
        self.next_step.follow(asked)
        self.idle_work_waits = True
        ahead = self._ahead
        if ahead is None or (ahead.plan, ahead.device) != (request.plan, device):
            self._ahead = AheadWork(self.model, request.plan, device, calibration, ahead)

    def _tell(
        self, request: protocol.MakeEstimate, prediction: Prediction, trouble: str | None
    ) -> None:
        """Sends an estimate, in two parts where the window can read one while the other is made."""
        first = prediction.first_message()
        apart = prediction.device_takes_long
        if apart:
            self._channel.send(protocol.FirstFigures(id=request.id, estimate=first))
        rest = prediction.device_figures()
        if trouble:
            rest = rest.model_copy(update={"notes": (*rest.notes, trouble)})
        if apart:
            self._channel.send(protocol.RestEstimated(id=request.id, figures=rest))
        else:
            self._channel.send(protocol.Estimated(id=request.id, estimate=rest.added_to(first)))

    def _describe(self, request: protocol.DescribeModule) -> None:
        try:
            detail = self.prediction.describe(request.name)
        except KeyError as error:
            raise SourceError(
                f"{self.model.name} has no module “{request.name}”; choose one of its layers."
            ) from error
        self._channel.send(protocol.Described(id=request.id, detail=detail))

    def _describe_run(self, request: protocol.DescribeRun) -> None:
        from memplanner.hardware import find_device
        from memplanner.run.intention import intention

        found = intention(
            self.model,
            request.plan,
            find_device(request.device),
            steps=request.steps,
            data=request.data,
            force=request.force,
            quality=request.quality,
            save=request.save,
        )
        self._channel.send(protocol.RunDescribed(id=request.id, intention=found))

    def _export(self, request: protocol.ExportPlan) -> None:
        from memplanner.export import render
        from memplanner.export.output import write_files

        rendering = render(request.target, self.model, request.plan, self.prediction.device)
        written: tuple[str, ...] = ()
        if request.output is not None:
            written = write_files(rendering.files, request.output)
        self._channel.send(
            protocol.Exported(
                id=request.id,
                target=request.target,
                files=rendering.files,
                cannot_say=rendering.cannot_say,
                written=written,
                runs_as=rendering.runs_as,
            )
        )
