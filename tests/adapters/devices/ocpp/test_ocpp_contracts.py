"""Plug & Charge over real sockets: contracts by chain and revocation, answers kept, addresses never asked."""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp_yard import now, station, yard

from commonwatt.adapters.devices.ocpp.contracts import ContractPool, Responders, contract_status, read_answer
from commonwatt.adapters.devices.ocpp.services import Services
from commonwatt.adapters.devices.ocpp.tokens import Token, Tokens
from commonwatt.model import InvalidValue
from commonwatt.simulator.devices.ocpp_pki import Mobility
from commonwatt.simulator.devices.ocpp_station import running


@pytest.mark.row("E12")
@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_a_contract_is_authorised_by_its_chain_its_responder_and_the_table(version: str, tmp_path: Path) -> None:
    async def story() -> None:
        tokens = Tokens()
        async with Mobility().serving() as mobility, httpx.AsyncClient(trust_env=False) as client:
            place = f"127.0.0.1:{mobility.port}"
            services = Services(
                authoriser=tokens,
                mobility_roots=[mobility.root],
                pool=ContractPool(f"http://{place}/pool", client),
                responders=Responders(frozenset({place}), client, now),
            )
            async with yard(tmp_path, services) as (server, _):
                server.register("CP-1")
                simulated = station(server, version)
                async with running(simulated):
                    await simulated.up()
                    token = {"idToken": mobility.emaid, "type": "eMAID"}
                    asked: dict[str, Any] = {
                        "idToken": token, "certificate": mobility.chain,
                        "iso15118CertificateHashData": [mobility.hash_data()],
                    }  # fmt: skip
                    told = await simulated.call("Authorize", asked)
                    assert told["certificateStatus"] == "ContractCancelled"
                    tokens.put([Token(id="DE-ABC-C12345678", kind="eMAID")])
                    told = await simulated.call("Authorize", asked)
                    assert (told["certificateStatus"], told["idTokenInfo"]["status"]) == ("Accepted", "Accepted")
                    assert mobility.served == 1, "the responder's answer is kept"
                    told = await simulated.call("GetCertificateStatus", {"ocspRequestData": mobility.hash_data()})
                    read_answer(base64.b64decode(told["ocspResult"]), mobility.hash_data(), now())
                    elsewhere = {**mobility.hash_data(), "responderURL": "http://169.254.1.1/"}
                    told = await simulated.call("GetCertificateStatus", {"ocspRequestData": elsewhere})
                    assert told["status"] == "Failed"
                    car = {"iso15118SchemaVersion": "urn:iso:15118:2", "action": "Install", "exiRequest": "AAAA"}
                    assert (await simulated.call("Get15118EVCertificate", car))["status"] == "Accepted"
                    mobility.revoked = True
                    services.responders = Responders(frozenset({place}), client, now)
                    told = await simulated.call("Authorize", asked)
                    assert told["certificateStatus"] == "CertificateRevoked"
                    assert told["idTokenInfo"]["status"] == "Invalid"

    asyncio.run(story())


def test_a_chain_of_another_root_an_expired_one_and_garbage_are_no_contracts() -> None:
    mobility = Mobility()
    assert contract_status(mobility.chain, [mobility.root], now())[0] == "Accepted"
    assert contract_status(mobility.chain, [], now())[0] == "CertChainError"
    assert contract_status(mobility.chain, [Mobility().root], now())[0] == "SignatureError"
    assert contract_status(mobility.chain, [mobility.root], now() + timedelta(days=31))[0] == "CertificateExpired"
    assert contract_status("garbage", [mobility.root], now())[0] == "CertChainError"


@given(st.binary(max_size=200))
def test_garbage_of_a_responder_is_refused(data: bytes) -> None:
    of = {"serialNumber": "1", "issuerKeyHash": "00", "issuerNameHash": "00"}
    with pytest.raises(InvalidValue):
        read_answer(data, of, now())
