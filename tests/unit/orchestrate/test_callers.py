from ipaddress import ip_network

import pytest

from functions.orchestrate.entrance.callers import address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # a stranger may write what they like
        ("10.1.1.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.1.1.1", ["198.51.100.1, 203.0.113.7"], "203.0.113.7"),  # the left one came with the request
        ("10.1.1.1", ["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        ("10.1.1.1", ["203.0.113.7, 10.2.2.2"], "203.0.113.7"),
        ("10.1.1.1", ["10.2.2.2"], "10.2.2.2"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["not an address"], "unknown"),
        ("10.1.1.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("fd00::1", ["[2001:db8:1:2:3:4:5:6]:443"], "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", [], "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        (None, ["203.0.113.7"], "unknown"),
        ("", [], "unknown"),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy_of_ours(peer: str | None, forwarded: list[str], caller: str) -> None:
    assert address(peer, forwarded, TRUSTED) == caller
