"""The app's pages, in the order of the navigation: each puts views before people, and decides nothing."""

from commonwatt.apps.web.context import Page
from commonwatt.apps.web.pages import commons, home, market, schedule

PAGES: tuple[Page, ...] = (home.PAGE, schedule.PAGE, market.PAGE, commons.PAGE)
