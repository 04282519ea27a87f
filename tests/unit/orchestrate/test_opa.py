"""Whatever OPA does, nothing is let through that it did not allow."""

import threading
from contextlib import aclosing

import pytest

from functions.orchestrate.policies.opa import OpaPolicy
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.policies.wiring import live_policy
from functions.orchestrate.settings import Settings
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import InsufficientRbac, Unavailable
from tests.fakes.free_ports import free_port
from tests.fakes.opa_server import Canned, serving

FOLDER = Settings.model_fields["policies"].default
DEMO = TenantId("demo")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"code": "internal_error"}', 500),
        (b'{"code": "undefined_document"}', 404),
        (b"{}", 200),
        (b'{"result": true}', 200),
        (b'{"result": null}', 200),
        (b'[{"result": {"allow": true}}]', 200),
        (b"allow", 200),
    ],
)
async def test_an_answer_that_is_none_lets_nobody_in(body: bytes, status: int) -> None:
    with serving(Canned(body, status)) as url, pytest.raises(Unavailable):
        async with aclosing(OpaPolicy(FOLDER, url, 1.0)) as opa:
            await opa.admit(DEMO, 1)


async def test_a_result_that_does_not_say_yes_lets_nobody_in() -> None:
    answer = Canned(b'{"result": {"allow": "true"}}')
    with serving(answer) as url, pytest.raises(InsufficientRbac):
        async with aclosing(OpaPolicy(FOLDER, url, 1.0)) as opa:
            await opa.admit(DEMO, 1)


async def test_a_result_that_says_yes_lets_in() -> None:
    answer = Canned(b'{"result": {"allow": true, "reasons": []}}')
    with serving(answer) as url:
        async with aclosing(OpaPolicy(FOLDER, url, 1.0)) as opa:
            await opa.admit(DEMO, 1)


async def test_a_late_answer_lets_nobody_in() -> None:
    late = threading.Event()
    with serving(Canned(b'{"result": {"allow": true, "reasons": []}}', wait=late)) as url:
        async with aclosing(OpaPolicy(FOLDER, url, 0.05)) as opa:
            with pytest.raises(Unavailable):
                await opa.admit(DEMO, 1)
        late.set()


async def test_without_opa_nobody_gets_in_and_it_is_not_ready() -> None:
    async with aclosing(OpaPolicy(FOLDER, f"http://127.0.0.1:{free_port()}", 0.5)) as away:
        assert not await away.ready()
        with pytest.raises(Unavailable):
            await away.admit(DEMO, 1)


@pytest.mark.parametrize("status", [200, 500])
async def test_it_is_ready_when_opa_is(status: int) -> None:
    with serving(Canned(b"{}", status)) as url:
        async with aclosing(OpaPolicy(FOLDER, url, 1.0)) as opa:
            assert await opa.ready() is (status == 200)


async def test_the_setting_chooses_the_engine() -> None:
    assert type(live_policy(Settings()).current) is RegoPolicy
    chosen = live_policy(Settings(opa_url="http://127.0.0.1:8181")).current
    assert isinstance(chosen, OpaPolicy)
    await chosen.aclose()
