"""Where a callback may go. Each row is a way by which an address on the inside has been reached from the outside."""

from collections.abc import Sequence

import pytest

from functions.orchestrate.webhooks.targets import TargetRefused, Targets
from llama_mapper.contracts.identifiers import TenantId
from llama_mapper.contracts.problems import InvalidRequest

DEMO, OTHER = TenantId("demo"), TenantId("other")
PUBLIC, PUBLIC_6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


class Names:
    """A resolver that gives *answers* in turn, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://example.org/hook", id="http"),
        pytest.param("ftp://example.org/hook", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("gopher://example.org:6379/_FLUSHALL", id="gopher to Redis"),
        pytest.param("//example.org/hook", id="no scheme"),
        pytest.param("https://127.0.0.1/hook", id="loopback"),
        pytest.param("https://127.1/hook", id="loopback, short"),
        pytest.param("https://2130706433/hook", id="loopback as a number"),
        pytest.param("https://0x7f000001/hook", id="loopback in hexadecimal"),
        pytest.param("https://0x7f.0.0.0x1/hook", id="loopback in hexadecimal parts"),
        pytest.param("https://0177.0.0.1/hook", id="loopback in octal"),
        pytest.param("https://[::1]/hook", id="loopback, IPv6"),
        pytest.param("https://[::ffff:127.0.0.1]/hook", id="loopback, IPv4-mapped"),
        pytest.param("https://[fe80::1%25eth0]/hook", id="link-local with a zone"),
        pytest.param("https://169.254.169.254/latest/meta-data", id="metadata"),
        pytest.param("https://localhost/hook", id="localhost"),
        pytest.param("https://redis/hook", id="a Service's short name"),
        pytest.param("https://example.org./hook", id="a trailing dot"),
        pytest.param("https://user:secret@example.org/hook", id="user and password"),
        pytest.param("https://example.org@127.0.0.1/hook", id="a name as the user"),
        pytest.param("https://127.0.0.1#@example.org/", id="a name in the fragment"),
        pytest.param("https://example.org/hook?token=x", id="query"),
        pytest.param("https://example.org/hook#x", id="fragment"),
        pytest.param("https://example.org\\@127.0.0.1/", id="backslash"),
        pytest.param("https://example.org/a/../../b", id="dots in the path"),
        pytest.param("https://example.org/%2e%2e/", id="escapes in the path"),
        pytest.param("https://example.org/\r\nHost: inside", id="a header in the path"),
        pytest.param("https://ex\u00e4mple.org/hook", id="letters that look alike"),
        pytest.param("https://\u2460\u2461\u2466.0.0.1/hook", id="digits in circles"),
        pytest.param("https://example.org:22/hook", id="ssh's port"),
        pytest.param("https://example.org:6379/hook", id="Redis' port"),
        pytest.param("https://example.org:0/hook", id="port 0"),
        pytest.param("https://example.org:99999/hook", id="no port"),
        pytest.param("https://example.org:80:443/hook", id="two ports"),
        pytest.param(" https://example.org/hook", id="a blank in front"),
        pytest.param("", id="nothing"),
        pytest.param("http://127.0.0.1:8000/hook", id="this machine, where that is not allowed"),
        pytest.param("https://" + "a" * 600 + ".example.org/", id="too long"),
    ],
)
async def test_what_is_no_plain_public_address_is_refused_before_it_is_looked_up(url: str) -> None:
    names = Names([PUBLIC])
    targets = Targets(resolver=names)
    with pytest.raises(InvalidRequest, match="X-Callback-URL") as refused:
        targets.check(url, DEMO)
    assert "example" not in refused.value.detail + refused.value.errors[0].message
    with pytest.raises(TargetRefused):
        await targets.resolve(url, DEMO)
    assert names.asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1"], id="loopback"),
        pytest.param(["127.255.255.254"], id="loopback, its end"),
        pytest.param(["0.0.0.0"], id="unspecified"),
        pytest.param(["10.0.0.1"], id="private 10/8"),
        pytest.param(["172.16.0.1"], id="private 172.16/12"),
        pytest.param(["172.31.255.255"], id="private 172.16/12, its end"),
        pytest.param(["192.168.1.1"], id="private 192.168/16"),
        pytest.param(["169.254.169.254"], id="metadata of AWS, Azure, Google"),
        pytest.param(["169.254.170.2"], id="metadata of ECS"),
        pytest.param(["100.100.100.200"], id="metadata of Alibaba"),
        pytest.param(["192.0.0.192"], id="metadata of Oracle"),
        pytest.param(["168.63.129.16"], id="Azure's wire server"),
        pytest.param(["100.64.0.1"], id="shared by carriers"),
        pytest.param(["198.18.0.1"], id="benchmarks"),
        pytest.param(["192.88.99.1"], id="6to4 relay"),
        pytest.param(["203.0.113.9"], id="documentation"),
        pytest.param(["224.0.0.1"], id="multicast"),
        pytest.param(["240.0.0.1"], id="reserved"),
        pytest.param(["255.255.255.255"], id="broadcast"),
        pytest.param(["::1"], id="loopback, IPv6"),
        pytest.param(["::"], id="unspecified, IPv6"),
        pytest.param(["fe80::1"], id="link-local"),
        pytest.param(["fe80::1%eth0"], id="link-local with a zone"),
        pytest.param(["fc00::1"], id="unique local"),
        pytest.param(["fd00:ec2::254"], id="metadata of AWS, IPv6"),
        pytest.param(["fec0::1"], id="site-local"),
        pytest.param(["ff02::1"], id="multicast, IPv6"),
        pytest.param(["2001:db8::1"], id="documentation, IPv6"),
        pytest.param(["::ffff:127.0.0.1"], id="IPv4-mapped loopback"),
        pytest.param(["::ffff:169.254.169.254"], id="IPv4-mapped metadata"),
        pytest.param(["::ffff:93.184.215.14"], id="IPv4-mapped, even of a public one"),
        pytest.param(["::127.0.0.1"], id="IPv4-compatible"),
        pytest.param(["::ffff:0:7f00:1"], id="IPv4-translated"),
        pytest.param(["64:ff9b::7f00:1"], id="NAT64 to loopback"),
        pytest.param(["64:ff9b::a9fe:a9fe"], id="NAT64 to metadata"),
        pytest.param(["64:ff9b:1::a00:1"], id="local NAT64"),
        pytest.param(["2002:7f00:1::"], id="6to4 of loopback"),
        pytest.param(["2002:a9fe:a9fe::"], id="6to4 of metadata"),
        pytest.param(["2001:0:53aa:64c:0:0:80ff:fffe"], id="Teredo"),
        pytest.param([PUBLIC, "10.0.0.1"], id="one public, one private"),
        pytest.param([PUBLIC_6, "127.0.0.1"], id="public by IPv6, loopback by IPv4"),
        pytest.param(["not an address"], id="no address at all"),
    ],
)
async def test_a_name_that_leads_inside_is_refused_when_it_is_called(addresses: list[str]) -> None:
    targets = Targets(resolver=Names(addresses))
    assert targets.check("https://example.org/hook", DEMO)
    with pytest.raises(TargetRefused, match=r"target\.not_public"):
        await targets.resolve("https://example.org/hook", DEMO)


@pytest.mark.parametrize(
    ("answers", "reached"), [([PUBLIC], PUBLIC), ([PUBLIC_6], PUBLIC_6), ([PUBLIC, PUBLIC_6], PUBLIC)]
)
async def test_a_public_name_is_called_at_the_address_that_was_looked_up(answers: list[str], reached: str) -> None:
    target = await Targets(resolver=Names(answers)).resolve("https://hooks.example.org/llama/done", DEMO)
    assert (target.address, target.host, target.port, target.path) == (reached, "hooks.example.org", 443, "/llama/done")


async def test_a_name_is_looked_up_once_for_each_sending_so_a_second_answer_changes_nothing() -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    targets = Targets(resolver=names)
    assert (await targets.resolve("https://example.org/hook", DEMO)).address == PUBLIC
    assert names.asked == [("example.org", 443)]
    with pytest.raises(TargetRefused):
        await targets.resolve("https://example.org/hook", DEMO)


async def test_a_name_without_an_address_may_have_one_later() -> None:
    with pytest.raises(OSError, match="no address"):
        await Targets(resolver=Names([])).resolve("https://example.org/hook", DEMO)


@pytest.mark.parametrize(
    ("tenant", "host", "may"),
    [
        (DEMO, "hooks.example.org", True),
        (DEMO, "a.b.example.net", True),
        (DEMO, "example.net", False),
        (DEMO, "evil-example.net", False),
        (DEMO, "hooks.example.org.evil.com", False),
        (DEMO, "elsewhere.com", False),
        (OTHER, "all.example.com", True),
        (OTHER, "hooks.example.org", False),
    ],
)
def test_a_tenant_with_a_list_names_hosts_of_its_list_only(tenant: TenantId, host: str, may: bool) -> None:
    targets = Targets({"demo": ("hooks.example.org", "*.example.net"), "*": ("all.example.com",)})
    if may:
        assert targets.check(f"https://{host}/", tenant)
    else:
        with pytest.raises(InvalidRequest):
            targets.check(f"https://{host}/", tenant)


def test_another_port_is_called_where_the_settings_say_so() -> None:
    assert Targets(ports=(443, 8443)).check("https://example.org:8443/hook", DEMO)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "http://localhost:9/", "http://[::1]:80/hook/x"])
async def test_a_laptop_may_be_called_by_itself_where_it_is_told_to(url: str) -> None:
    targets = Targets(loopback=True, resolver=Names(["::1"]))
    assert targets.check(url, DEMO) == url
    assert (await targets.resolve(url, DEMO)).scheme == "http"


async def test_a_localhost_that_leads_elsewhere_is_not_called() -> None:
    with pytest.raises(TargetRefused):
        await Targets(loopback=True, resolver=Names(["10.0.0.1"])).resolve("http://localhost:8000/", DEMO)


@pytest.mark.parametrize(
    ("host", "may"),
    [("hooks.example.org", True), ("example.org", False), ("a.example.com", False), ("example.com", True)],
)
def test_a_tenants_own_configuration_narrows_the_list_further(host: str, may: bool) -> None:
    targets, among = Targets({}), ("*.example.org", "example.com")
    if may:
        targets.check(f"https://{host}/hook", DEMO, among)
        return
    with pytest.raises(InvalidRequest):
        targets.check(f"https://{host}/hook", DEMO, among)


def test_an_empty_list_of_its_own_lets_a_tenant_call_nobody() -> None:
    with pytest.raises(InvalidRequest):
        Targets({}).check("https://example.org/hook", DEMO, ())


async def test_a_list_that_is_narrower_by_now_holds_when_it_is_sent() -> None:
    targets = Targets({"demo": ("hooks.example.org",)}, resolver=Names(["93.184.215.14"]))
    assert (await targets.resolve("https://hooks.example.org/", DEMO, ("*.example.org",))).host == "hooks.example.org"
    for among in ((), ("other.example.org",)):
        with pytest.raises(TargetRefused, match=r"target\.host"):
            await targets.resolve("https://hooks.example.org/", DEMO, among)
    with pytest.raises(TargetRefused, match=r"target\.host"):
        await targets.resolve("https://other.example.org/", DEMO, ("other.example.org",))
