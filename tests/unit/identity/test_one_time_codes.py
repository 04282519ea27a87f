from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import fakeredis
import pyotp
import pytest

from llama_mapper.chassis.sealing import Sealer, Unsealable, new_keyset
from llama_mapper.contracts.problems import RateLimited, Unauthorized, Unavailable
from llama_mapper.identity.code_stores import MemoryCodes, RedisCodes
from llama_mapper.identity.one_time_codes import MOST_FAILURES, CodeStore, OneTimeCodes

NOW = datetime(2026, 11, 23, 12, 30, 5, tzinfo=UTC)
KEY = "a" * 12
SEALER = Sealer(new_keyset())


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[CodeStore]:
    if request.param == "memory":
        yield MemoryCodes()
        return
    async with fakeredis.FakeAsyncRedis() as redis:
        yield RedisCodes(redis)


@pytest.fixture
def codes(store: CodeStore) -> OneTimeCodes:
    return OneTimeCodes(store, SEALER)


async def enrolled(codes: OneTimeCodes) -> pyotp.TOTP:
    """What a person's phone makes of the QR code."""
    uri = await codes.enrol(KEY, "demo")
    return pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])


@pytest.mark.parametrize("seconds_off", [-30, 0, 30])
async def test_a_phones_code_counts_though_its_clock_is_a_step_off(codes: OneTimeCodes, seconds_off: int) -> None:
    phone = await enrolled(codes)
    await codes.verify(KEY, "demo", phone.at(NOW + timedelta(seconds=seconds_off)), NOW)


@pytest.mark.parametrize("seconds_off", [-90, 90, 3600])
async def test_an_old_or_early_code_does_not(codes: OneTimeCodes, seconds_off: int) -> None:
    phone = await enrolled(codes)
    with pytest.raises(Unauthorized):
        await codes.verify(KEY, "demo", phone.at(NOW + timedelta(seconds=seconds_off)), NOW)


async def test_a_code_counts_once_and_none_before_it_counts_later(codes: OneTimeCodes) -> None:
    phone = await enrolled(codes)
    await codes.verify(KEY, "demo", phone.at(NOW), NOW)
    for code in (phone.at(NOW), phone.at(NOW - timedelta(seconds=30))):
        with pytest.raises(Unauthorized):
            await codes.verify(KEY, "demo", code, NOW)
    await codes.verify(KEY, "demo", phone.at(NOW + timedelta(seconds=30)), NOW)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "000000\n"])
async def test_what_is_no_code_is_refused(codes: OneTimeCodes, code: str) -> None:
    await enrolled(codes)
    with pytest.raises(Unauthorized):
        await codes.verify(KEY, "demo", code, NOW)


async def test_after_five_wrong_codes_the_right_one_waits(codes: OneTimeCodes) -> None:
    phone = await enrolled(codes)
    for _ in range(MOST_FAILURES):
        with pytest.raises(Unauthorized):
            await codes.verify(KEY, "demo", "000000" if phone.at(NOW) != "000000" else "111111", NOW)
    with pytest.raises(RateLimited) as refused:
        await codes.verify(KEY, "demo", phone.at(NOW), NOW)
    assert refused.value.retry_after_seconds == 900


async def test_a_key_without_a_secret_has_no_second_factor(codes: OneTimeCodes) -> None:
    with pytest.raises(Unauthorized):
        await codes.verify(KEY, "demo", "123456", NOW)


async def test_a_secret_is_sealed_for_its_key_and_tenant(store: CodeStore, codes: OneTimeCodes) -> None:
    phone = await enrolled(codes)
    sealed = await store.secret(KEY)
    assert sealed is not None
    assert phone.secret.encode() not in sealed
    with pytest.raises(Unsealable):
        await codes.verify(KEY, "other", phone.at(NOW), NOW)


async def test_without_the_store_no_code_counts() -> None:
    server = fakeredis.FakeServer()
    async with fakeredis.FakeAsyncRedis(server=server) as redis:
        codes = OneTimeCodes(RedisCodes(redis), SEALER)
        phone = await enrolled(codes)
        server.connected = False
        with pytest.raises(Unavailable):
            await codes.verify(KEY, "demo", phone.at(NOW), NOW)
