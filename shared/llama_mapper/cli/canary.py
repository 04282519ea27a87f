"""`llama-mapper canary`: candidates of a model in a cluster, as people ask for them and as the gate steps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .refusing import FAILED, MISUSED, refuse

if TYPE_CHECKING:
    from llama_mapper.cluster.api import Cluster
    from llama_mapper.contracts.canaries import Canary

app = typer.Typer(help="Candidates of a model in a cluster: start one, look, promote it, roll it back.")

Output = Literal["table", "json", "yaml"]
Name = Annotated[str, typer.Argument(help="The Canary's name, as `canary status` lists it.")]
Context = Annotated[str | None, typer.Option(help="The kubeconfig's context; else its current one.")]
Kubeconfig = Annotated[Path | None, typer.Option(help="Else $KUBECONFIG, else ~/.kube/config.")]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Else the context's, else llama-mapper.")]
Shown = Annotated[Output, typer.Option("--output", "-o", help="For people, or for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="One Canary, with what was judged; else all.")] = None,
    output: Shown = "table",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Show where each candidate stands, and why.

    Example: llama-mapper canary status mapper --context production
    """
    with _cluster(kubeconfig, context, namespace) as cluster:
        found = (cluster.canary(name),) if name else cluster.canaries()
    from .canary_table import show

    show(found, output, details=name is not None)


@app.command()
def start(
    storage_uri: Annotated[str, typer.Argument(help="Where the candidate lies: s3://bucket/folder.")],
    service: Annotated[str, typer.Option(help="The InferenceService.")] = "mapper",
    name: Annotated[str | None, typer.Option(help="The Canary's name; else the service's.")] = None,
    adapter: Annotated[str | None, typer.Option(help="What evaluation.completed calls the candidate.")] = None,
    mode: Annotated[
        Literal["apply", "dry-run", "gitops"], typer.Option(help="What the gate does with a step.")
    ] = "apply",
    paused: Annotated[bool, typer.Option(help="Let it wait at 5 %; a regression still rolls back.")] = False,
    output: Shown = "table",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Ask for a candidate: the gate gives it 5 % of the calls within a minute, and goes on from there.

    Without --adapter no evaluation is the candidate's, and it gets no further than half of the calls. A Canary of the
    same name that is over makes room.

    Example: llama-mapper canary start s3://llama-mapper/serving/candidate --adapter smollm2-ranked.2
    """
    from pydantic import ValidationError

    from llama_mapper.contracts.canaries import CanarySpec

    with _cluster(kubeconfig, context, namespace) as cluster:
        now = cluster.service(service)
        if now.rolled_out is None:
            refuse(f"{service} has no revision with all calls yet: KServe ignores the share of a first rollout")
        if now.storage_uri == storage_uri:
            refuse(f"{service} is served from there already", MISUSED)
        asked = {"inference_service": service, "storage_uri": storage_uri, "adapter": adapter, "mode": mode}
        try:
            spec = CanarySpec.model_validate(asked | {"stable_storage_uri": now.storage_uri, "paused": paused})
        except ValidationError as error:
            wrong = {str(fault["loc"][0]).replace("_", "-") for fault in error.errors()}
            refuse(f"not valid: {', '.join(sorted(wrong))}", MISUSED)
        _make_room(cluster, name or service)
        made = cluster.create(name or service, spec)
    from .canary_table import show

    show((made,), output)


@app.command()
def promote(
    name: Name, yes: Yes = False, context: Context = None, kubeconfig: Kubeconfig = None, namespace: Namespace = None
) -> None:
    """Give the candidate all calls at the gate's next look, whatever was measured.

    Example: llama-mapper canary promote mapper
    """
    with _cluster(kubeconfig, context, namespace) as cluster:
        canary = _running(cluster, name)
        _confirm(yes, f"give {canary.spec.storage_uri} all calls of {canary.spec.inference_service}?")
        cluster.amend(name, {"override": "promote"})
    typer.echo(f"{name}: promoted at the next look, within a minute")


@app.command()
def rollback(
    name: Name, yes: Yes = False, context: Context = None, kubeconfig: Kubeconfig = None, namespace: Namespace = None
) -> None:
    """Take all calls from the candidate now, and let the gate note it.

    The share is set here and now, so that it works while the gate does not.

    Example: llama-mapper canary rollback mapper --yes
    """
    from llama_mapper.cluster.errors import Stale

    with _cluster(kubeconfig, context, namespace) as cluster:
        canary = _running(cluster, name)
        _confirm(yes, f"take all calls from {canary.spec.storage_uri}?")
        canary = cluster.amend(name, {"override": "rollback"})
        by_hand = canary.spec.mode == "apply" and canary.status.phase == "Progressing"
        while by_hand:
            try:
                cluster.turn(cluster.service(canary.spec.inference_service), 0, canary.spec.storage_uri, force=True)
                break
            except Stale:  # a new status came in between
                continue
    typer.echo(f"{name}: rolled back" if by_hand else f"{name}: rolled back at the next look, within a minute")


@app.command()
def pause(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Go on.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Take no step forward until told; a regression still rolls back.

    Example: llama-mapper canary pause mapper --off
    """
    with _cluster(kubeconfig, context, namespace) as cluster:
        _running(cluster, name)
        cluster.amend(name, {"paused": not off})
    typer.echo(f"{name}: {'goes on' if off else 'paused'}")


@app.command()
def watch(
    seconds: Annotated[int | None, typer.Option(min=1, help="Stop after so long; else with Ctrl-C.")] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Show all candidates, and each change as it comes.

    Example: llama-mapper canary watch -n llama-mapper
    """
    from .canary_table import live

    with _cluster(kubeconfig, context, namespace) as cluster:
        live(cluster, seconds)


def _make_room(cluster: "Cluster", name: str) -> None:
    from llama_mapper.cluster.errors import NotThere

    try:
        former = cluster.canary(name)
    except NotThere:
        return
    if not former.over:
        refuse(f"{name} runs already with {former.spec.storage_uri}: promote it or roll it back first")
    cluster.delete(former)


def _running(cluster: "Cluster", name: str) -> "Canary":
    canary = cluster.canary(name)
    if canary.over:
        ended = "promoted" if canary.status.phase == "Promoted" else "rolled back"
        stable = canary.spec.stable_storage_uri
        back = f"; back is a new one: canary start {stable}" if ended == "promoted" and stable else ""
        refuse(f"{name} is over: it was {ended}{back}", MISUSED)
    return canary


def _confirm(yes: bool, question: str) -> None:
    if not yes and not typer.confirm(question):
        raise typer.Exit(FAILED)


@contextmanager
def _cluster(kubeconfig: Path | None, context: str | None, namespace: str | None) -> "Iterator[Cluster]":
    try:
        from llama_mapper.cluster.api import Cluster
        from llama_mapper.cluster.errors import ClusterError

        connect = Cluster.of_person
        import kubernetes.client  # noqa: F401 - so that a missing package is told before anything is asked
    except ModuleNotFoundError:
        refuse("this needs the package kubernetes: pip install 'llama-mapper[cli]'", MISUSED)
    try:
        yield connect(kubeconfig, context, namespace)
    except ClusterError as error:
        refuse(str(error))
