"""The app's pages, in the order of the navigation: each puts views before people, and decides nothing."""

from commonwatt.apps.web.context import Page
from commonwatt.apps.web.pages import bill, commons, deals, home, keys, market, schedule, wallet

PAGES: tuple[Page, ...] = (
    home.PAGE,
    schedule.PAGE,
    market.PAGE,
    wallet.PAGE,
    deals.PAGE,
    bill.PAGE,
    keys.PAGE,
    commons.PAGE,
)
