import httpx
import pytest

from functions.console.adapters import Refused, Services
from llama_mapper.contracts.identifiers import TenantId
from tests.fakes.upstream import Away
from tests.unit.console.answers import PARTS


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (httpx.ConnectError, "record does not answer; is it running?"),
        (httpx.ReadTimeout, "record did not answer within 5 s"),
    ],
)
async def test_service_that_is_away_is_named(error: type[httpx.TransportError], message: str) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Away(error))) as client:
        services = Services({name: f"http://{name}" for name in PARTS}, TenantId("demo"), client, 5.0)
        with pytest.raises(Refused) as raised:
            await services.summary()
    assert raised.value.message == message
