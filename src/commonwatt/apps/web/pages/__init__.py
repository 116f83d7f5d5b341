"""The app's pages, in the order of the navigation: each puts views before people, and decides nothing."""

from commonwatt.apps.web.context import Page
from commonwatt.apps.web.pages import auditor, commons, devices, home, market, proof

PAGES: tuple[Page, ...] = (home.PAGE, market.PAGE, *proof.PAGES, devices.PAGE, auditor.PAGE, commons.PAGE)
