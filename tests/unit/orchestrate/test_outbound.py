"""Where callers' addresses may lead, and that the connection goes to the very address that was judged."""

import socket
from collections.abc import Sequence
from ipaddress import ip_network

import httpx
import pytest

from functions.orchestrate.registration.outbound import (
    ConnectWithin,
    Guard,
    GuardedTransport,
    NoAddress,
    NotAllowed,
    namespace,
)
from tests.fakes.subscriber import Answer, listening, saying

PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


def leading(*addresses: str) -> Guard:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    return Guard(resolver=resolver)


async def test_a_public_address_is_allowed() -> None:
    assert await leading(PUBLIC, "2606:2800:220:1::1").addresses("judge.example.org", 443) == [
        PUBLIC,
        "2606:2800:220:1::1",
    ]


@pytest.mark.parametrize(
    "address",
    [
        PRIVATE,
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "168.63.129.16",
        "100.64.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "64:ff9b::a01:203",
        "2002:a01:203::1",
        "2001:0:a01:203::1",
        "::10.1.2.3",
    ],
)
async def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    for addresses in ((address,), (PUBLIC, address), (address, PUBLIC)):
        with pytest.raises(NotAllowed):
            await leading(*addresses).addresses("judge.example.org", 443)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        (PRIVATE, True),
        ("100.64.0.1", True),
        ("fd00::1", True),
        ("::ffff:a01:203", True),
        (PUBLIC, True),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
    ],
)
async def test_a_service_of_the_cluster_is_private_and_never_the_machine_itself(address: str, allowed: bool) -> None:
    guard = leading(address)
    if allowed:
        assert await guard.addresses("judge.team-a.svc", 80) == [address]
    else:
        with pytest.raises(NotAllowed):
            await guard.addresses("judge.team-a.svc", 80)


async def test_the_settings_can_name_private_networks() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return [PRIVATE]

    guard = Guard([ip_network("10.1.0.0/16")], resolver)
    assert await guard.addresses("judge.example.org", 443) == [PRIVATE]
    with pytest.raises(NotAllowed):
        await Guard([ip_network("10.2.0.0/16")], resolver).addresses("judge.example.org", 443)


async def test_a_host_without_an_address_is_said_so() -> None:
    async def failing(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror

    for guard in (Guard(resolver=failing), leading(), leading("nonsense")):
        with pytest.raises(NoAddress):
            await guard.addresses("judge.example.org", 443)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("judge.team-a.svc", "team-a"),
        ("judge.team-a.svc.cluster.local", "team-a"),
        ("pod-0.judge.team-a.svc.cluster.local.", "team-a"),
        ("judge.team-a", None),
        ("judge.svc.example.org", None),
        ("team-a.svc", None),
        ("xsvc", None),
    ],
)
def test_a_service_is_told_by_its_name(host: str, said: str | None) -> None:
    assert namespace(host) == said


async def test_each_connection_is_judged_anew() -> None:
    """DNS rebinding: the second look-up leads to the machine itself, and no second connection is made."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def resolver(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    guard = Guard([ip_network("127.0.0.0/8")], resolver)
    async with listening(saying(Answer(200, {"connection": "close"}), Answer(200))) as server:
        async with httpx.AsyncClient(transport=ConnectWithin(GuardedTransport(guard), 2.0)) as client:
            url = server.url.replace("127.0.0.1", "judge.example.org")
            assert (await client.post(url, content=b"text")).status_code == 200
            with pytest.raises(NotAllowed):
                await client.post(url, content=b"text")
        assert [one.headers["host"].split(":")[0] for one in server.received] == ["judge.example.org"]


async def test_a_connection_that_is_kept_is_used_again() -> None:
    looked: list[str] = []

    async def resolver(host: str, port: int) -> Sequence[str]:
        looked.append(host)
        return ["127.0.0.1"]

    async with listening(saying(Answer(200, body=b"one"), Answer(200, body=b"two"))) as server:
        transport = GuardedTransport(Guard([ip_network("127.0.0.0/8")], resolver))
        async with httpx.AsyncClient(transport=transport) as client:
            url = server.url.replace("127.0.0.1", "judge.example.org")
            assert [(await client.get(url)).text for _ in range(2)] == ["one", "two"]
    assert looked == ["judge.example.org"]


async def test_failures_are_httpxs() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async with httpx.AsyncClient(transport=GuardedTransport(Guard([ip_network("127.0.0.0/8")], resolver))) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://judge.example.org:1/")
