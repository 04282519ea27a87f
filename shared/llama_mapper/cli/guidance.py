"""`llama-mapper guidance`: what the rules say, quoted with their citation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .refusing import FAILED, MISUSED, refuse

if TYPE_CHECKING:
    from llama_mapper.contracts.retrieval import RetrievalResponse

app = typer.Typer(help="What the rules say: questions answered with quoted passages.", no_args_is_help=True)

KNOWLEDGE = Path("functions", "analyze", "guidance", "knowledge")
MISSING = "this needs the packages of functions/analyze/requirements.txt"

Frameworks = Annotated[list[str] | None, typer.Option("--framework", help="Only this framework; may be repeated.")]
Folder = Annotated[
    Path | None,
    typer.Option(envvar="ANALYSIS_KNOWLEDGE", help="Folder of passages; else the one of this checkout."),
]


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="One line about rules, with no personal value in it.")],
    framework: Frameworks = None,
    limit: Annotated[int, typer.Option(min=1, max=20, help="At most so many passages.")] = 5,
    knowledge: Folder = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Quote the passages that answer a question, or say that none does.

    It is answered on this machine and kept nowhere. The passages are in our own words and no legal advice.

    Example: llama-mapper guidance ask "How soon must a GDPR breach be reported?" --framework gdpr
    """
    from pydantic import ValidationError

    from llama_mapper.contracts.problems import InvalidRequest
    from llama_mapper.contracts.retrieval import RetrievalRequest

    from .rooms import open_rooms

    folder = knowledge or open_rooms() / KNOWLEDGE
    try:
        from functions.analyze.guidance.knowledge import KnowledgeError
        from functions.analyze.guidance.retrieval import Guidance
    except ModuleNotFoundError:
        refuse(MISSING, MISUSED)
    try:
        request = RetrievalRequest.model_validate(
            {"question": question, "frameworks": framework or None, "limit": limit}
        )
        answer = Guidance.load(folder).answer(request)
    except ValidationError as error:
        refuse("; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors()), MISUSED)
    except InvalidRequest as error:
        refuse("; ".join(fault.message for fault in error.errors), MISUSED)
    except KnowledgeError as error:
        refuse(str(error), MISUSED)
    if json:
        typer.echo(answer.model_dump_json())
        return
    _show(answer)


@app.command()
def index(knowledge: Folder = None) -> None:
    """Make the vectors of the passages anew: after every change of their words.

    Example: llama-mapper guidance index
    """
    from .rooms import open_rooms

    folder = knowledge or open_rooms() / KNOWLEDGE
    try:
        from functions.analyze.guidance.knowledge import Knowledge, KnowledgeError
        from functions.analyze.guidance.vectors import write

        passages = Knowledge.load(folder)
        write([known.pieces for known in passages.passages], passages.digest, folder / "vectors.npz")
    except ModuleNotFoundError:
        refuse("this needs the packages of functions/analyze/requirements.txt and models.txt", MISUSED)
    except KnowledgeError as error:
        refuse(str(error), MISUSED)
    except OSError as error:
        refuse(f"{folder}: cannot be written to ({type(error).__name__})", FAILED)
    typer.echo(f"{len(passages.passages)} passages, version {passages.version}")


def _show(answer: "RetrievalResponse") -> None:
    from rich.console import Console, Group
    from rich.panel import Panel
    from rich.text import Text

    console = Console()
    if answer.retrieval == "lexical":
        typer.echo("words alone were compared: the embedding model is not installed", err=True)
    if answer.abstained:
        console.print("No passage answers that well enough. Name the framework, or ask in other words.")
        return
    for passage in answer.passages:
        source = f"{passage.citation} · {passage.authority}, {passage.published} · evidence {passage.score:.2f}"
        title = f"{passage.framework} · {passage.section}"
        body = Group(Text(passage.text), Text(source, style="dim"))
        console.print(Panel(body, title=Text(title), title_align="left", width=min(100, console.width)))
    typer.echo(f"knowledge {answer.knowledge_version}; our own words, no legal advice", err=True)
