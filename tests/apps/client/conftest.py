"""A client on a lived street, asked without sockets."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from carried import Caller
from lived import LivedStreet
from visited import visited

from commonwatt.identity.seat import Role


@pytest.fixture(scope="module")
def caller(lived: LivedStreet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A whole street with its door open, with a member and an operator, to be written to."""
    folder = tmp_path_factory.mktemp("called") / "street"
    shutil.copytree(lived.folder, folder)
    copy = replace(lived, folder=folder)
    with visited(copy, door=True) as street:
        street.joins(Role.MEMBER.value, Role.MEMBER, "member-05")
        street.joins(Role.OPERATOR.value, Role.OPERATOR)
        yield Caller(street, copy)
