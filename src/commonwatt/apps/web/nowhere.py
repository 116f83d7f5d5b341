"""What stands where there is no page: within the frame of all others, so that nobody is lost."""

from http import HTTPStatus

from commonwatt.apps.web.context import Context, Page
from commonwatt.apps.web.parts.states import empty_state
from commonwatt.apps.web.words import mark
from commonwatt.identity.seat import Role


def _build(context: Context) -> None:
    context.client.status_code = int(HTTPStatus.NOT_FOUND)
    why = context.say("The address was mistyped, or what stood here is gone.")
    there = context.say("To the first page")
    context.put(empty_state(context.words, context.say("There is no page here"), why, action=there, href="/"))


NOWHERE = Page(
    path="/{path:path}", title=mark("Not found"), icon="warning", roles=frozenset(Role), build=_build, listed=False
)
"""Takes every address that nothing else took, so it is put up last."""
