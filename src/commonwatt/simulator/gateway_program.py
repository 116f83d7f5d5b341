"""A gateway as a program of its own: holds its key in its own folder and talks JSON lines on its pipes.

Run by the gateway adapter as ``python -m commonwatt.simulator.gateway_program FOLDER``. The first line that it reads
tells it who it is, every further one asks it to live through a slot. It ends when its input does.
"""

import os
import sys
from pathlib import Path

import msgspec

from commonwatt.adapters.devices.gateway.translate import Hello, Live
from commonwatt.adapters.stores.keyfile import load_secret, passphrase, save_secret
from commonwatt.identity.keys import SigningKey
from commonwatt.model import CommonwattError
from commonwatt.simulator.box import Box, Memory, Spec


def main(folder: Path) -> None:
    """Serve until the input ends."""
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=Spec)
    key = own_key(folder, spec)
    path = folder / "memory.json"

    def save(memory: Memory) -> None:
        save_secret(path, msgspec.json.encode(memory))

    memory = msgspec.json.decode(load_secret(path), type=Memory) if path.exists() else None
    box = Box(spec, key, memory, save)
    _say(Hello(number=spec.number, public=key.public.hex()))
    for line in sys.stdin.buffer:
        _say(box.live(msgspec.json.decode(line, type=Live)))


def own_key(folder: Path, spec: Spec) -> SigningKey:
    """Return the gateway's key: made at its first start, kept encrypted, never told to anyone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, words = folder / "key.pem", passphrase(folder / "passphrase")
    if path.exists():
        return SigningKey.from_pem(load_secret(path), words)
    key = SigningKey.from_seed(spec.seed.encode(), spec.number)
    save_secret(path, key.to_pem(words))
    return key


def _say(message: msgspec.Struct) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone; nothing is lost, since the memory was saved before the answer
    except (OSError, CommonwattError) as error:
        print(f"gateway {sys.argv[1]}: {error}", file=sys.stderr)  # noqa: T201  its only way to say why it ends
        os._exit(1)
