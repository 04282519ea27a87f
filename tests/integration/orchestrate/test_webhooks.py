"""Callbacks on a real Valkey to real servers: signed, tried again, given up, and only to the address checked."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import standardwebhooks
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis.asyncio import Redis

from functions.orchestrate.jobs.records import PREFIX
from functions.orchestrate.jobs.store import DUE, RedisJobs
from functions.orchestrate.webhooks.callbacks import Hosts, Patience, Webhooks, any_host
from functions.orchestrate.webhooks.sending import NotSent, Sender
from functions.orchestrate.webhooks.signing import WebhookSecrets
from functions.orchestrate.webhooks.targets import Target, Targets
from llama_mapper.chassis.sealing import Sealer
from llama_mapper.client import WrongSignature, verify_webhook
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.jobs import Job
from llama_mapper.contracts.problems import NotFound, Unavailable
from tests.fakes.free_ports import free_port
from tests.fakes.jobs import KEYSET, names, order, store
from tests.fakes.orchestration import DEMO
from tests.fakes.subscriber import Answer, Received, listening, saying

QUICK = Patience(attempts=3, first_seconds=0.02, look_seconds=0.01, at_once=2)
OTHER = TenantId("other")


@asynccontextmanager
async def calling(
    redis: Redis, jobs: RedisJobs, targets: Targets | None = None, hosts: Hosts = any_host
) -> AsyncIterator[Webhooks]:
    targets = targets or Targets(loopback=True)
    webhooks = Webhooks(redis, jobs, WebhookSecrets(redis, Sealer(KEYSET)), targets, Sender(), QUICK, hosts)
    webhooks.start()
    try:
        yield webhooks
    finally:
        await webhooks.aclose()


async def cancelled(jobs: RedisJobs, callback: str, tenant_id: TenantId = DEMO) -> Job:
    job = await jobs.submit(order(tenant_id, callback=callback))
    return await jobs.cancel(names(job, tenant_id))


async def settled(redis: Redis) -> None:
    async with asyncio.timeout(10):
        while await redis.zcard(DUE):  # noqa: ASYNC110 - the store has no event to wait for
            await asyncio.sleep(0.01)


async def test_a_job_that_has_ended_calls_back_and_others_code_knows_the_signature(redis: Redis) -> None:
    jobs, secrets = store(redis), WebhookSecrets(redis, Sealer(KEYSET))
    async with listening(saying(Answer(200, body=b"x" * 100_000))) as receiver, calling(redis, jobs):
        job = await cancelled(jobs, receiver.url + "/hook")
        received = await receiver.next()
        await settled(redis)
    assert (received.path, received.headers["content-type"]) == ("/hook", "application/json")
    assert Job.model_validate_json(received.body) == job
    secret = (await secrets.of(DEMO)).secret
    standardwebhooks.Webhook(secret).verify(received.body, received.headers)
    assert verify_webhook(received.headers, received.body, secret) == job
    assert received.headers["webhook-id"] == job.id
    with pytest.raises(WrongSignature):
        verify_webhook(received.headers, received.body, (await secrets.of(OTHER)).secret)


async def test_after_a_rotation_both_secrets_verify_and_after_a_day_the_new_one_alone(redis: Redis) -> None:
    jobs, secrets = store(redis), WebhookSecrets(redis, Sealer(KEYSET))
    before = (await secrets.of(DEMO)).secret
    await secrets.rotate(DEMO, datetime.now(UTC))
    async with listening(saying(Answer(204))) as receiver, calling(redis, jobs):
        await cancelled(jobs, receiver.url + "/hook")
        received = await receiver.next()
    kept = await secrets.of(DEMO)
    assert (kept.previous, len({kept.secret, before})) == (before, 2)
    for secret in (before, kept.secret):
        standardwebhooks.Webhook(secret).verify(received.body, received.headers)
    assert kept.signing(datetime.now(UTC) + timedelta(days=1, seconds=1)) == (kept.secret,)


async def test_a_job_without_an_address_calls_nobody(redis: Redis) -> None:
    jobs = store(redis)
    await jobs.cancel(names(await jobs.submit(order())))
    assert await redis.zcard(DUE) == 0


async def test_who_fails_is_asked_again_with_the_same_id(redis: Redis) -> None:
    jobs = store(redis)
    refusing = saying(Answer(500), Answer(302, {"location": "http://127.0.0.1:1/"}), Answer(204))
    async with listening(refusing) as receiver, calling(redis, jobs):
        await cancelled(jobs, receiver.url + "/hook")
        received = await receiver.take(3)
        await settled(redis)
    assert len({one.headers["webhook-id"] for one in received}) == 1
    assert not await redis.keys(f"{PREFIX}:callbacks:*")


async def test_who_was_away_is_asked_by_the_next_process(redis: Redis) -> None:
    jobs, port = store(redis), free_port()
    async with calling(redis, jobs) as webhooks:
        job = await cancelled(jobs, f"http://127.0.0.1:{port}/hook")
        async with asyncio.timeout(10):
            while not await redis.keys(f"{PREFIX}:callbacks:tries:*"):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    del webhooks
    await redis.zadd(DUE, {names(job).member: 0})
    async with listening(saying(Answer(204)), port=port) as receiver, calling(redis, jobs):
        assert (await receiver.next()).headers["webhook-id"] == job.id
        await settled(redis)


async def test_who_never_answers_is_given_up_listed_and_asked_again_on_request(redis: Redis) -> None:
    jobs = store(redis)
    async with listening(saying(*[Answer(503)] * 3, Answer(204))) as receiver, calling(redis, jobs) as webhooks:
        job = await cancelled(jobs, receiver.url + "/hook")
        await receiver.take(3)
        await settled(redis)
        (dead,) = (await webhooks.dead(DEMO)).callbacks
        assert (dead.job_id, dead.attempts, dead.outcome) == (job.id, 3, "503")
        assert (await webhooks.dead(OTHER)).callbacks == ()
        with pytest.raises(NotFound):
            await webhooks.again(names(job, OTHER))
        await webhooks.again(names(job))
        await receiver.next()
        await settled(redis)
        assert (await webhooks.dead(DEMO)).callbacks == ()


async def test_who_says_gone_is_not_asked_again(redis: Redis) -> None:
    jobs = store(redis)
    async with listening(saying(Answer(410))) as receiver, calling(redis, jobs) as webhooks:
        await cancelled(jobs, receiver.url + "/hook")
        await receiver.next()
        await settled(redis)
        assert [(one.attempts, one.outcome) for one in (await webhooks.dead(DEMO)).callbacks] == [(1, "410")]


async def test_a_name_that_leads_inside_by_now_is_not_called(redis: Redis) -> None:
    jobs = store(redis)

    async def inside(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with listening(saying()) as receiver, calling(redis, jobs, Targets(resolver=inside)) as webhooks:
        await cancelled(jobs, "https://example.org/hook")
        await settled(redis)
        assert [one.outcome for one in (await webhooks.dead(DEMO)).callbacks] == ["target.not_public"]
    assert receiver.received == []


async def test_a_host_that_the_tenant_allows_no_more_is_not_called(redis: Redis) -> None:
    jobs = store(redis)

    async def elsewhere(tenant_id: TenantId) -> Sequence[str]:
        return ("hooks.example.org",) if tenant_id == DEMO else ("127.0.0.1",)

    async with listening(saying(Answer(204))) as receiver, calling(redis, jobs, hosts=elsewhere) as webhooks:
        await cancelled(jobs, receiver.url + "/hook")
        await settled(redis)
        assert [one.outcome for one in (await webhooks.dead(DEMO)).callbacks] == ["target.host"]
        assert receiver.received == []
        await cancelled(jobs, receiver.url + "/hook", OTHER)
        await receiver.next()


async def test_while_nobody_can_say_what_a_tenant_allows_its_callbacks_wait(redis: Redis) -> None:
    jobs, away = store(redis), [True]

    async def hosts(_: TenantId) -> None:
        if away and away.pop():
            raise Unavailable("the policy does not answer")

    async with listening(saying(Answer(204))) as receiver, calling(redis, jobs, hosts=hosts) as webhooks:
        await cancelled(jobs, receiver.url + "/hook")
        await receiver.next()
        await settled(redis)
        assert (await webhooks.dead(DEMO)).callbacks == ()


async def test_neither_address_nor_secret_is_kept_in_clear(redis: Redis) -> None:
    jobs, secrets = store(redis), WebhookSecrets(redis, Sealer(KEYSET))
    job = await jobs.submit(order(callback="https://canary.example.org/hook"))
    secret = (await secrets.of(DEMO)).secret
    held = repr([await redis.hgetall(names(job).job), await redis.get("orchestrate:webhook-secret:demo")])
    assert "canary" not in held
    assert secret.removeprefix("whsec_") not in held
    assert secret not in repr(await secrets.of(DEMO))


async def test_a_receiver_that_stalls_costs_a_timeout_and_no_more() -> None:
    stalled = asyncio.Event()

    async def stall(_: Received) -> Answer:
        await stalled.wait()
        return Answer()

    sender = Sender(seconds=0.05)
    async with listening(stall) as receiver:
        port = int(receiver.url.rpartition(":")[2])
        with pytest.raises(NotSent, match="timeout"):
            await sender.send(Target("http", "127.0.0.1", port, "/", "127.0.0.1"), {}, b"{}")
        stalled.set()
    await sender.aclose()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's side of one certificate for *name*."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, private)
    return server, ssl.create_default_context(cafile=str(pem))


@asynccontextmanager
async def tls_server(context: ssl.SSLContext, said: list[str]) -> AsyncIterator[int]:
    """Answers 204 over TLS on loopback; *said* gets the server name and the head of each request."""
    context.sni_callback = lambda _socket, name, _context: said.append(f"sni {name}")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def test_the_connection_goes_to_the_address_and_the_certificate_must_be_the_names(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "hooks.example.org")
    sender, said = Sender(verify=client), list[str]()
    async with tls_server(server, said) as port:
        target = Target("https", "hooks.example.org", port, "/hook", "127.0.0.1")
        assert await sender.send(target, {}, b"{}") == 204
        other = Target("https", "other.example.org", port, "/hook", "127.0.0.1")
        with pytest.raises(NotSent, match="no_connection"):
            await sender.send(other, {}, b"{}")
    await sender.aclose()
    assert said[0] == "sni hooks.example.org"
    assert said[1].startswith("POST /hook HTTP/1.1")
    assert f"host: hooks.example.org:{port}" in said[1].lower()


async def test_an_ipv6_address_is_connected_to(tmp_path: Path) -> None:
    async with listening(saying(Answer(204))) as receiver:
        port = int(receiver.url.rpartition(":")[2])
        sender = Sender()
        with pytest.raises(NotSent, match="no_connection"):  # the test's server listens on IPv4 alone
            await sender.send(Target("http", "localhost", port, "/", "::1"), {}, b"{}")
        await sender.aclose()
