"""An order, as a durable workflow: reserve, wait for the payment, pack, ship. Nothing in here knows
of Perdure."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

TASK_QUEUE = "orders"


@dataclass
class Order:
    """What was ordered."""

    number: str
    item: str
    quantity: int
    packing_seconds: float = 4


@dataclass
class Payment:
    """The signal's argument."""

    method: str
    amount: float


@dataclass
class Shipped:
    """The workflow's result."""

    order: str
    reservation: str
    reservation_attempts: int
    paid_with: str
    packed: int
    tracking: str


@dataclass
class Reservation:
    """What the warehouse answers, and at which attempt it did."""

    id: str
    attempts: int


@activity.defn
async def reserve_stock(order: Order) -> Reservation:
    """Fails twice, as warehouses do; the retry policy tries again."""
    attempt = activity.info().attempt
    if attempt < 3:
        raise ApplicationError(
            f"the warehouse does not answer (attempt {attempt})", type="WarehouseDown"
        )
    return Reservation(id=f"reservation-{order.number}", attempts=attempt)


@activity.defn
async def pack(order: Order) -> int:
    """Takes its time, and says by heartbeats how far it is; tried again, it goes on where it
    was."""
    details = activity.info().heartbeat_details
    packed = details[0] if details else 0
    while packed < order.quantity:
        await asyncio.sleep(order.packing_seconds / order.quantity)
        packed += 1
        activity.heartbeat(packed)
    return packed


@activity.defn
async def ship(order: Order) -> str:
    """Hands the parcel over."""
    return f"parcel-{order.number}"


@workflow.defn
class OrderWorkflow:
    """From the order to the parcel."""

    def __init__(self) -> None:
        self._stage = "accepted"
        self._payment: Payment | None = None

    @workflow.run
    async def run(self, order: Order) -> Shipped:
        self._stage = "reserving stock"
        reservation = await workflow.execute_activity(
            reserve_stock,
            order,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=300), maximum_attempts=5
            ),
        )
        self._stage = "waiting for payment"
        await workflow.wait_condition(lambda: self._payment is not None)
        assert self._payment is not None
        self._stage = "packing"
        packed = await workflow.execute_activity(
            pack,
            order,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=10),
        )
        self._stage = "waiting for the carrier"
        await workflow.sleep(timedelta(seconds=2))
        self._stage = "shipping"
        tracking = await workflow.execute_activity(
            ship, order, start_to_close_timeout=timedelta(seconds=10)
        )
        self._stage = "shipped"
        return Shipped(
            order.number,
            reservation.id,
            reservation.attempts,
            self._payment.method,
            packed,
            tracking,
        )

    @workflow.signal
    def pay(self, payment: Payment) -> None:
        """The customer has paid."""
        self._payment = payment

    @workflow.query
    def stage(self) -> str:
        """How far the order is."""
        return self._stage
