"""Watches a run: tells alarms at once and, where that is wanted, ends the run for them."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mammoscope.training.guard import Alarm, Row, check_loss, find_alarms

logger = logging.getLogger(__name__)

OnAlarm = Literal["stop", "tell"]
_NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Looks at each step and each epoch of a run.

    The loop asks in this order, so that nothing is lost when a run ends::

        watch.step(loss, step)                      # before the weights change
        alarms = watch.epoch(history, facts)        # after the epoch's row was added
        log.alarms(step, epoch, alarms)             # and the checkpoint written
        watch.stop(alarms)

    Attributes
    ----------
    on_alarm : "stop" ends the run at a grave alarm, "tell" only tells it
    show : takes a line for the progress bar; None where there is none
    """

    on_alarm: OnAlarm = "stop"
    show: Callable[[str], None] | None = None

    def step(self, loss: float, step: int) -> None:
        """Look at the loss of a step, before the weights follow it.

        Raises
        ------
        NotFiniteError
            When it is no finite number. This ends a run whatever `on_alarm` says: a step along
            such a gradient would leave no weight whole.
        """
        check_loss(loss, step)

    def epoch(
        self, history: Sequence[Row], facts: Mapping[str, float] = _NOTHING
    ) -> tuple[Alarm, ...]:
        """Look at the epochs so far and tell what is wrong since the last one.

        An alarm that the epoch before had too is returned but not told again.

        Parameters
        ----------
        history : a row an epoch, with the keys that `guard` names
        facts : keys of the same names that hold for every epoch, such as ``val_tiles`` and
            ``val_majority``; a row's own value goes before

        Returns
        -------
        Alarms that hold after the last epoch.
        """
        rows = [{**facts, **row} for row in history]
        alarms = find_alarms(rows)
        told = {alarm.kind for alarm in find_alarms(rows[:-1])}
        for alarm in alarms:
            if alarm.kind not in told:
                logger.warning("epoch %d: %s", len(rows), alarm.sentence)
                if self.show is not None:
                    self.show(alarm.sentence)
        return alarms

    def stop(self, alarms: Sequence[Alarm]) -> None:
        """End the run for the first grave alarm, unless alarms are only told.

        Raises
        ------
        CollapseError
            When every training prediction was one class.
        TrainingError
            For another grave alarm.
        """
        grave = [alarm for alarm in alarms if alarm.grave]
        if grave and self.on_alarm == "stop":
            raise grave[0].error()
