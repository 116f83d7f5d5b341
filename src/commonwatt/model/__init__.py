"""The nouns that everyone here talks about: plain frozen values on the standard library alone."""

from commonwatt.model.asset import Asset, AssetKind
from commonwatt.model.consent import ALWAYS, OFF, Consent, ConsentMode
from commonwatt.model.constraint import AT_AN_INSTANT, Constraint, Priority, Quantity, Reach, Relation
from commonwatt.model.droop import Armed, Droop
from commonwatt.model.entry import (
    BURN,
    COMMISSION_POOL,
    EDUCATION_POT,
    GRID,
    LOSSES,
    MINT,
    NETWORK,
    PAYMENT_PORT,
    SYSTEM_ACCOUNTS,
    VAULT,
    Commodity,
    Entry,
)
from commonwatt.model.envelope import Envelope, Shift, Store, Warmth
from commonwatt.model.errors import CommonwattError, Corrupt, Erased, InvalidValue, Refused
from commonwatt.model.forecast import Forecast
from commonwatt.model.ids import AccountId, AssetId, CommunityId, GatewayId, KeyId, OrderId
from commonwatt.model.money import MICRO, cost_micro, round_div, share_wh
from commonwatt.model.order import Order, Side, Trade
from commonwatt.model.reading import Reading
from commonwatt.model.repeating import EVERY_DAY, MINUTES_PER_DAY, Repeating, within
from commonwatt.model.request import MAX_SAFE_INTEGER, Kind, Outcome, Request, Unread, canonical_json, remember
from commonwatt.model.schedule import Ack, Band, Command, Instruction, Schedule, Verb
from commonwatt.model.time import (
    SLOT,
    SLOT_SECONDS,
    SLOTS_PER_DAY,
    SLOTS_PER_HOUR,
    Interval,
    epoch,
    instant,
    slot_from,
    slots_of,
)
from commonwatt.model.wall_clock import moment, moments, zone_of

__all__ = [
    "ALWAYS",
    "AT_AN_INSTANT",
    "BURN",
    "COMMISSION_POOL",
    "EDUCATION_POT",
    "EVERY_DAY",
    "GRID",
    "LOSSES",
    "MAX_SAFE_INTEGER",
    "MICRO",
    "MINT",
    "MINUTES_PER_DAY",
    "NETWORK",
    "OFF",
    "PAYMENT_PORT",
    "SLOT",
    "SLOTS_PER_DAY",
    "SLOTS_PER_HOUR",
    "SLOT_SECONDS",
    "SYSTEM_ACCOUNTS",
    "VAULT",
    "AccountId",
    "Ack",
    "Armed",
    "Asset",
    "AssetId",
    "AssetKind",
    "Band",
    "Command",
    "Commodity",
    "CommonwattError",
    "CommunityId",
    "Consent",
    "ConsentMode",
    "Constraint",
    "Corrupt",
    "Droop",
    "Entry",
    "Envelope",
    "Erased",
    "Forecast",
    "GatewayId",
    "Instruction",
    "Interval",
    "InvalidValue",
    "KeyId",
    "Kind",
    "Order",
    "OrderId",
    "Outcome",
    "Priority",
    "Quantity",
    "Reach",
    "Reading",
    "Refused",
    "Relation",
    "Repeating",
    "Request",
    "Schedule",
    "Shift",
    "Side",
    "Store",
    "Trade",
    "Unread",
    "Verb",
    "Warmth",
    "canonical_json",
    "cost_micro",
    "epoch",
    "instant",
    "moment",
    "moments",
    "remember",
    "round_div",
    "share_wh",
    "slot_from",
    "slots_of",
    "within",
    "zone_of",
]
