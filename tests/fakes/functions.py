"""One function as functions-framework serves it, from its own ``main.py`` and read afresh."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import functions_framework.aio
import httpx
from starlette.types import ASGIApp

ROOT = Path(__file__).parents[2] / "functions"


# The parts of each function, once they were imported: only its main.py has settings, and is read each time.
_parts: dict[str, dict[str, ModuleType]] = {}


def _forget() -> None:
    # functions-framework calls every function's module "main", so a second one would get the first one's parts.
    for name in [name for name in list(sys.modules) if name == "main" or name.startswith("main.")]:
        del sys.modules[name]


def _remember(function: str) -> None:
    _parts[function] = {name: module for name, module in list(sys.modules.items()) if name.startswith("main.")}


@asynccontextmanager
async def serving(function: str) -> AsyncIterator[tuple[httpx.AsyncClient, ModuleType]]:
    """Give a client of *function*, whose settings are read now, and its module; what it opened is closed after."""
    _forget()
    sys.modules.update(_parts.get(function, {}))
    search_path = list(sys.path)
    create_asgi_app: Callable[[str, str], ASGIApp] = functions_framework.aio.create_asgi_app
    app = create_asgi_app("handle", str(ROOT / function / "main.py"))
    module = sys.modules["main"]
    _remember(function)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{function}") as client:
            yield client, module
    finally:
        sys.path[:] = search_path
        _forget()
        if hasattr(module, "aclose"):
            await module.aclose()
