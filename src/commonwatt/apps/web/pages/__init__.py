"""The app's pages, in the order of the navigation: each puts views before people, and decides nothing."""

from commonwatt.apps.web.context import Page
from commonwatt.apps.web.pages import commons, grid, home, market

PAGES: tuple[Page, ...] = (home.PAGE, market.PAGE, grid.PAGE, commons.PAGE)
