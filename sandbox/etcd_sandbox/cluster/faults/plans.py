"""Faults that are to come: each is carried out when its time is there, unless all are healed before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.structs import replace

from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.event import Kind
from etcd_sandbox.model.order import Order
from etcd_sandbox.supervise.bus import Bus
from etcd_sandbox.verbs.verb import AFTER

_log = logging.getLogger(__name__)


class _Planned(Struct, eq=False):
    """One order, and when it is carried out, by the loop's clock."""

    order: Order
    at: float
    timer: asyncio.TimerHandle | None = None


class Plans:
    """The orders with `--after` of one cluster."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._planned: list[_Planned] = []
        self._under_way: dict[asyncio.Task[None], Order] = {}

    def add(self, order: Order, carry_out: Callable[[Order], Awaitable[object]]) -> None:
        """Have it carried out later. Whom it means is decided then."""
        loop = asyncio.get_running_loop()
        after_s = order.after_s or 0.0
        more = {name: value for name, value in order.more.items() if name != AFTER.parameter}
        planned = _Planned(replace(order, more=more, wait=False), loop.time() + after_s)

        def due() -> None:
            self._planned.remove(planned)
            task = loop.create_task(self._carry_out(planned.order, carry_out))
            self._under_way[task] = planned.order
            task.add_done_callback(self._done)

        planned.timer = loop.call_later(after_s, due)
        self._planned.append(planned)
        self._bus.publish(
            Kind.FAULT_PLANNED, None, fault=order.verb.name, order=order.words, in_s=after_s
        )

    def drop(self) -> list[str]:
        """Have none of them, nor those whose time has just come and that wait for their turn; their words."""
        orders = [*self._under_way.values(), *(planned.order for planned in self._planned)]
        for order in orders:
            self._tell_dropped(order, "heal came first")
        self.close()
        return [order.words for order in orders]

    def told(self) -> list[dict[str, object]]:
        """Each, as `status` shows it."""
        now = asyncio.get_running_loop().time() if self._planned else 0.0
        return [
            {
                "fault": planned.order.verb.name,
                "order": planned.order.words,
                "in_s": round(max(0.0, planned.at - now), 1),
            }
            for planned in self._planned
        ]

    def close(self) -> None:
        """Carry nothing out any more."""
        for planned in self._planned:
            if planned.timer is not None:
                planned.timer.cancel()
        self._planned.clear()
        for task in self._under_way:
            task.cancel()

    async def _carry_out(
        self, order: Order, carry_out: Callable[[Order], Awaitable[object]]
    ) -> None:
        try:
            await carry_out(order)
        except SandboxError as error:
            self._tell_dropped(order, str(error))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a planned fault failed", exc_info=error)

    def _tell_dropped(self, order: Order, why: str) -> None:
        self._bus.publish(
            Kind.FAULT_DROPPED, None, fault=order.verb.name, order=order.words, why=why
        )
