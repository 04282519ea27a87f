"""What a transport's exception says about the request, without the exception, which holds it."""

import httpx

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol)


def fault_of(error: Exception) -> dict[str, bool]:
    """The marks of ``NoAnswer``."""
    return {
        "unsent": isinstance(error, UNSENT),
        "timed_out": isinstance(error, httpx.TimeoutException | TimeoutError),
    }
