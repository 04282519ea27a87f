import httpx


async def test_entry_serves_the_pages() -> None:
    from functions.console.main import app, handle

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as browser:
        assert (await browser.get("/try")).status_code == 200
    assert callable(handle)
