"""Listen at a broker for devices that announce themselves, and ask Shelly devices to do so."""

import asyncio
import secrets
from collections.abc import Sequence

import aiomqtt

from commonwatt.adapters.devices.driver import Found
from commonwatt.adapters.devices.mqtt.announced import TOPICS, Heard
from commonwatt.adapters.devices.mqtt.naming import Note
from commonwatt.adapters.devices.probing.modbus import url

PORT = 1883
CONNECT_WITHIN_S = 3.0
ANNOUNCE = Note("shellies/command", b"announce")
"""Makes all Shelly devices of the first generation announce themselves; it changes nothing of them."""
NOBODY_WITHOUT = (4, 5, 134, 135)
"""How a broker says that name and password are wrong or missing: MQTT 3.1.1, 3.2.2.3, and as version 5 counts."""
LOGIN = "user and password_file: this broker lets nobody look without"
NOTHING = "which device, by its topic, and its profile: none that is known announces itself here"


async def probe(host: str, port: int | None, within_s: float) -> Sequence[Found]:
    """Return the devices behind a broker that announce themselves; of one that wants a login, the broker itself.

    What the broker remembers counts here, though it may be of a device that is gone: adding it reads it first.

    Source: Tasmota documentation, MQTT discovery and LWT; Shelly API reference, MQTT; Home Assistant, MQTT discovery.
    """
    heard = Heard(url(host, port or PORT, "mqtt"), f"commonwatt-scan-{secrets.token_hex(4)}")
    connected = False
    try:
        async with asyncio.timeout(within_s), _client(host, port or PORT, within_s) as client:
            connected = True
            for topic in (*TOPICS, f"{heard.source}/#"):
                await client.subscribe(topic, 1)
            await client.publish(ANNOUNCE.topic, ANNOUNCE.payload, 1)
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                for note in heard.hear(message.topic.value, payload):
                    await client.publish(note.topic, note.payload, 1)
    except TimeoutError:
        pass  # it has been listened to for as long as was asked
    except aiomqtt.MqttCodeError as error:
        if not connected and getattr(error.rc, "value", error.rc) in NOBODY_WITHOUT:
            return [Found(driver="mqtt", url=heard.broker, still=LOGIN)]
    except (aiomqtt.MqttError, OSError):
        pass
    if not connected:
        return []
    return heard.found() or [Found(driver="mqtt", url=heard.broker, still=NOTHING)]


def _client(host: str, port: int, within_s: float) -> aiomqtt.Client:
    return aiomqtt.Client(host, port, timeout=min(CONNECT_WITHIN_S, within_s), clean_session=True)
