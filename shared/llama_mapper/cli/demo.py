"""`llama-mapper demo`: real examples through the running system, and a table of what came out."""

from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, in_plain_words
from .run import Port, PortBase, RunDir

if TYPE_CHECKING:
    from rich.console import Console

    from llama_mapper.contracts.mapping import Mapping
    from llama_mapper.local.directory import RunDirectory
    from llama_mapper.local.state import RunState

    from .demo_run import Outcome

app = typer.Typer()
MODEL_PATIENCE_SECONDS = 180.0


@app.command()
def demo(
    run_dir: RunDir = None,
    port_base: PortBase = 8000,
    port: Port = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave running what the demo started.")] = False,
) -> None:
    """Send about twenty examples and print labels, decisions, risks and controls.

    Uses the system that runs; where none does, starts it and stops it afterwards. Example: llama-mapper demo
    """
    from rich.console import Console

    console = Console()
    with in_plain_words():
        from llama_mapper.local import background, directory, layout, state

        from .screen import screen

        place = directory.choose(run_dir, layout.find_root())
        run, started = state.read(place), False
        if run is None:
            console.print("Nothing runs yet: starting everything in the background.", style="dim")
            flags = ["--port-base", str(port_base), *(part for pair in port or () for part in ("--port", pair))]
            shown = screen(console)
            try:
                run, started = background.start(place, flags, shown.watch, tethered=not keep), True
            finally:
                shown.close()
        try:
            failed = _send_and_show(run, console, place)
        finally:
            if started and not keep:
                background.stop(place)
                console.print("Stopped what the demo started; `llama-mapper up` leaves it running.", style="dim")
    if failed:
        raise typer.Exit(FAILED)


def _send_and_show(run: "RunState", console: "Console", place: "RunDirectory") -> bool:
    """Return whether a case failed."""
    import asyncio

    from . import demo_table

    ports = run.ports()
    content, reports = asyncio.run(_send(run))
    demo_table.show(console, content, reports)
    _show_unseen(run, console)
    address = f"http://127.0.0.1:{ports['orchestrate']}/api/v1/orchestrate"
    body = '{"content": "Sample content for analysis"}'
    for line in (
        f"Logs: {place.logs}",
        "Try your own:",
        f"  curl -s {address} -H 'Content-Type: application/json' -H 'X-Tenant-ID: demo' -d '{body}'",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return any(outcome.trouble for outcome in (*content, *reports))


def _show_unseen(run: "RunState", console: "Console") -> None:
    """Show what becomes of labels that no rule knows; the model may still be loading."""
    import asyncio

    from . import demo_model
    from .demo_run import TENANT
    from .services import Services

    loads = any(part.name == "predictor" and part.state != "absent" for part in run.parts)

    async def ask() -> "list[Mapping]":
        async with Services(TENANT) as services:
            with console.status("The model is loading (half a minute) …") as status:
                patience = MODEL_PATIENCE_SECONDS if loads else 0.0
                mapper = f"http://127.0.0.1:{run.ports()['mapper']}"
                return await demo_model.map_unseen(mapper, services, patience, status.update)

    console.print(demo_model.table(asyncio.run(ask())))
    if not loads:
        console.print("No model is installed, so rules and retrieval answered: `make model` gets one.", style="dim")


async def _send(run: "RunState") -> "tuple[list[Outcome], list[Outcome]]":
    """Texts one after the other, so that each time is its own; the reports side by side."""
    import asyncio

    from llama_mapper.client import AsyncLlamaMapper
    from llama_mapper.local.layout import BROKER, NAMESPACE

    from .demo_cases import CONTENT, REPORTS
    from .demo_run import TENANT, send_content, send_report
    from .services import Services

    ports = run.ports()
    orchestrate, broker, record = (f"http://127.0.0.1:{ports[name]}" for name in ("orchestrate", "broker", "record"))
    async with Services(TENANT) as services, AsyncLlamaMapper(orchestrate, tenant=TENANT) as mapper:
        content = [await send_content(case, mapper) for case in CONTENT]
        ingress = f"{broker}/{NAMESPACE}/{BROKER}"
        reports = await asyncio.gather(*(send_report(case, ingress, record, services) for case in REPORTS))
    return content, list(reports)
