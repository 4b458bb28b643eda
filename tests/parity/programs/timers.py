"""Timers: firing, cancelling, races with the running workflow task."""

from ..harness.commands import cancel_timer, complete, timer
from ..harness.registry import program
from ..harness.session import Session


@program
async def timer_fires(t: Session):
    await t.start()
    t.value("first task", await t.step(timer("one", 0.2, user_metadata={"summary": {"data": b"why"}})))
    t.value("second task", await t.step(complete("done")))
    await t.history()
    await t.describe()
