"""A program's ends of its pipes: lines in without blocking anything else, lines out at once."""

import asyncio
import sys

import msgspec

MOST_BYTES = 64 * 1024 * 1024
"""A street's first line tells a year of it, if need be."""


async def lines() -> asyncio.StreamReader:
    """Return what this program is told."""
    told = asyncio.StreamReader(limit=MOST_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    return told


def say(message: msgspec.Struct) -> None:
    """Say something to whoever started this program.

    Raises:
        BrokenPipeError: Nobody is there any more.
    """
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()
