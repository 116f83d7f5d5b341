"""Contracts between utilities and owners of flexibility: terms, what they come to, and one state machine for all."""

from commonwatt.market.contracts.machine import (
    Call,
    Contract,
    Contracts,
    Fact,
    Guarantee,
    Offer,
    Status,
)
from commonwatt.market.contracts.paying import Due, due, most_paid_micro, most_penalty_micro
from commonwatt.market.contracts.terms import (
    BaselineRule,
    Basis,
    Days,
    Direction,
    PaymentRule,
    Terms,
    Trigger,
    TriggerKind,
    Window,
)

__all__ = [
    "BaselineRule",
    "Basis",
    "Call",
    "Contract",
    "Contracts",
    "Days",
    "Direction",
    "Due",
    "Fact",
    "Guarantee",
    "Offer",
    "PaymentRule",
    "Status",
    "Terms",
    "Trigger",
    "TriggerKind",
    "Window",
    "due",
    "most_paid_micro",
    "most_penalty_micro",
]
