"""The app's pages, in the order of the navigation: each puts views before people, and decides nothing."""

from commonwatt.apps.web.context import Page
from commonwatt.apps.web.pages import commons, grid, home, market, operator

PAGES: tuple[Page, ...] = (home.PAGE, operator.PAGE, grid.PAGE, market.PAGE, commons.PAGE)
