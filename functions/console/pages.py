"""The pages. Each works as plain HTML; with the script, a form's answer is put into the page (``X-Fragment``)."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llama_mapper import __version__
from llama_mapper.chassis.app import allowed, create_app
from llama_mapper.contracts.identifiers import AnyRequestId, TenantId
from llama_mapper.contracts.problems import InsufficientRbac
from llama_mapper.taxonomy import Taxonomy

from . import forms, samples, views
from .adapters import Refused, Services

FOLDER = Path(__file__).parent
RECENT = 15

# No inline script or style, nothing from elsewhere, no page around ours.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Fragment = Annotated[bool, Header(alias="X-Fragment")]
Words = Annotated[str, Query(max_length=100)]
T = TypeVar("T")


class Pages:
    """Renders templates; everything put into one is escaped."""

    def __init__(self, tenant: TenantId, taxonomy: Taxonomy) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(tenant=tenant, version=__version__, taxonomy=taxonomy, views=views)

    def page(self, name: str, *, fragment: bool = False, status: int = 200, **values: Any) -> HTMLResponse:
        """Answer the page *name*, or only what its form's answer is, as *fragment*."""
        template = self._environment.get_template(f"{name}_answer.html" if fragment else f"{name}.html")
        return HTMLResponse(template.render(here=name, **values), status, {"Cache-Control": "no-store"})


async def _or_notice(asked: Awaitable[T], notices: list[str]) -> T | None:
    """Await *asked*; where it fails, the page says so and shows the rest."""
    try:
        return await asked
    except Refused as refused:
        if refused.message not in notices:
            notices.append(refused.message)
        return None


def create_console(
    services: Services, taxonomy: Taxonomy, *, tenant: TenantId, max_bytes: int, log_level: str
) -> FastAPI:
    """Return the application."""
    app = create_app("console", __version__, max_bytes=max_bytes, log_level=log_level)
    pages = Pages(tenant, taxonomy)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")
    app.add_middleware(WithHeaders)
    _add_errors(app, pages)
    _add_overview(app, pages, services)
    _add_try(app, pages, services)
    _add_taxonomy(app, pages, taxonomy)
    _add_map(app, pages, services)
    return app


class WithHeaders:
    """Send the pages' headers with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def relay(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, relay)


async def from_our_page(sec_fetch_site: Annotated[str, Header()] = "none") -> None:
    """Refuse a form that another site's page sends; every current browser says where a request is from.

    Raises:
        InsufficientRbac: it comes from elsewhere.
    """
    if sec_fetch_site not in ("same-origin", "none"):
        raise InsufficientRbac("this form was sent by another site")


OurPage = Depends(from_our_page)


def _add_errors(app: FastAPI, pages: Pages) -> None:
    async def on_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        page = pages.page("error", status=status, missing=status == 404)
        if status == 405:
            page.headers["Allow"] = allowed(request)
        return page

    app.add_exception_handler(HTTPException, on_error)
    app.add_exception_handler(RequestValidationError, on_error)


def _add_overview(app: FastAPI, pages: Pages, services: Services) -> None:
    @app.get("/", include_in_schema=False)
    async def overview(fragment: Fragment = False) -> Response:
        notices: list[str] = []
        health = await services.health()
        summary = await _or_notice(services.summary(), notices)
        recent = await _or_notice(services.requests(RECENT), notices)
        return pages.page("overview", fragment=fragment, health=health, summary=summary, recent=recent, notices=notices)

    @app.get("/requests/{request_id}", include_in_schema=False)
    async def one_request(request_id: AnyRequestId) -> Response:
        notices: list[str] = []
        found = await _or_notice(services.findings(request_id), notices)
        return pages.page("request", request_id=request_id, found=found, notices=notices)

    @app.get("/reviews", include_in_schema=False)
    async def reviews() -> Response:
        notices: list[str] = []
        found = await _or_notice(services.reviews(100), notices)
        return pages.page("reviews", found=found, notices=notices)

    @app.get("/dead-letters", include_in_schema=False)
    async def dead_letters() -> Response:
        notices: list[str] = []
        found = await _or_notice(services.dead_letters(100), notices)
        return pages.page("dead_letters", found=found, notices=notices)


def _add_try(app: FastAPI, pages: Pages, services: Services) -> None:
    @app.get("/try", include_in_schema=False)
    async def try_form(sample: str | None = None) -> Response:
        text = samples.TEXTS[sample].text if sample in samples.TEXTS else ""
        return pages.page("try", text=text, samples=samples.TEXTS, answer=None, faults={}, refused=None)

    @app.post("/try", include_in_schema=False, dependencies=[OurPage])
    async def try_it(request: Request, fragment: Fragment = False) -> Response:
        answer, faults, refused = await _sent(request, forms.judgement, services.judge)
        # The text itself is not sent back: the page that has it marks the places.
        return pages.page(
            "try", fragment=fragment, text="", samples=samples.TEXTS, answer=answer, faults=faults, refused=refused
        )


def _add_map(app: FastAPI, pages: Pages, services: Services) -> None:
    @app.get("/map", include_in_schema=False)
    async def map_form(sample: str | None = None) -> Response:
        fields = samples.LABELS[sample].fields if sample in samples.LABELS else {}
        return pages.page("map", fields=fields, samples=samples.LABELS, answer=None, faults={}, refused=None)

    @app.post("/map", include_in_schema=False, dependencies=[OurPage])
    async def map_it(request: Request, fragment: Fragment = False) -> Response:
        answer, faults, refused = await _sent(request, forms.finding, services.map)
        return pages.page(
            "map", fragment=fragment, fields={}, samples=samples.LABELS, answer=answer, faults=faults, refused=refused
        )


Sent = TypeVar("Sent")


async def _sent(
    request: Request, read: Callable[[forms.Form], Sent], ask: Callable[[Sent], Awaitable[T]]
) -> tuple[T | None, dict[str, str], str | None]:
    """Read the form and ask the service: (answer, faults by field, why the service gave none)."""
    try:
        return await ask(read(forms.Form(await request.body()))), {}, None
    except forms.FormError as error:
        return None, dict(error.faults), None
    except Refused as refused:
        return None, {}, refused.message


def _add_taxonomy(app: FastAPI, pages: Pages, taxonomy: Taxonomy) -> None:
    @app.get("/taxonomy", include_in_schema=False)
    async def browse(q: Words = "", fragment: Fragment = False) -> Response:
        found = taxonomy.search(q) if q.strip() else None
        return pages.page("taxonomy", fragment=fragment, q=q, found=found, branches=views.tree(taxonomy))

    @app.get("/taxonomy/{name}", include_in_schema=False)
    async def label(name: str) -> Response:
        if name not in taxonomy:
            raise HTTPException(404)
        return pages.page("label", label=taxonomy[name], children=list(taxonomy.children(name)))
