"""The app's pages, in the order of the navigation: each puts views before people, and decides nothing."""

from commonwatt.apps.web.context import Page
from commonwatt.apps.web.pages import (
    auditor,
    bill,
    chain,
    commons,
    deals,
    devices,
    forecast,
    grid,
    home,
    keys,
    market,
    operator,
    proof,
    schedule,
    wallet,
    what_if,
)

PAGES: tuple[Page, ...] = (
    home.PAGE,
    schedule.PAGE,
    operator.PAGE,
    grid.PAGE,
    market.PAGE,
    wallet.PAGE,
    forecast.PAGE,
    deals.PAGE,
    *proof.PAGES,
    chain.PAGE,
    devices.PAGE,
    bill.PAGE,
    keys.PAGE,
    auditor.PAGE,
    commons.PAGE,
    what_if.PAGE,
)
