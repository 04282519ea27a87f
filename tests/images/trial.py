"""One image from its recipe to its figures."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import layers, proofs, software
from .commands import run
from .containers import Pod, podman, started
from .package_index import PackageIndex
from .recipes import ROOT, TRAINING, Recipe

Say = Callable[[str], None]
MIB = 1024 * 1024
# The interpreter looks for bytecode there instead of beside the source, and finds none.
WITHOUT_BYTECODE = {"PYTHONPYCACHEPREFIX": "/nowhere"}


@dataclass(frozen=True)
class Bench:
    """What all trials share."""

    base: str
    builder: str
    index: PackageIndex
    output: Path
    revision: str
    committed: str
    """Seconds since 1970 of the commit: the time that every file and layer carries."""
    runs: int


@dataclass(frozen=True)
class ColdStart:
    """Median seconds from the start of a container's process to the first 200 of /health."""

    compiled: float
    uncompiled: float
    runtime: float
    """The same for a few lines that only answer: what the container runtime and the interpreter take."""


@dataclass(frozen=True)
class Outcome:
    image: str
    mib: float
    base_mib: float
    compressed_mib: float
    base_compressed_mib: float
    python_packages: int
    components: int
    answered: str
    compiled: float
    cold: ColdStart | None
    peak_mib: float | None
    digest: str
    not_locked: tuple[str, ...]

    def as_json(self) -> Mapping[str, object]:
        return asdict(self)


def build(recipe: Recipe, bench: Bench) -> None:
    """Build *recipe* with no engine's daemon.

    Raises:
        CommandFailed: a step failed; the log lies in the output folder.
    """
    arguments = {"BASE": bench.base, "BUILDER": bench.builder, "REVISION": bench.revision} | dict(recipe.arguments)
    told = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    run(
        (
            *("buildah", "bud", "--isolation", "chroot", "--layers", "--pull-never", "--timestamp", bench.committed),
            *(*told, *bench.index.arguments, "--file", str(recipe.containerfile), "--tag", recipe.tag, str(ROOT)),
        ),
        log=bench.output / f"{recipe.short}.build.log",
    )


def trial(recipe: Recipe, bench: Bench, say: Say) -> Outcome:
    """Build, look into, run and time one image.

    Raises:
        CommandFailed: it cannot be built or does not start.
        ProofFailed: it starts and does not do what it is there for, or can do what it must not.
    """
    say(f"{recipe.short}: build")
    build(recipe, bench)
    say(f"{recipe.short}: look into the layers")
    pushed = layers.push(recipe.tag, bench.output / f"{recipe.short}.layers", (*bench.index.traces, str(ROOT)))
    proofs.expect(not pushed.traces, f"names this machine: {', '.join(pushed.traces)}")
    with mounted(recipe.tag) as tree:
        say(f"{recipe.short}: list the packages")
        bill = software.bill_of(recipe.name, bench.revision, tree)
        software.write(bill, bench.output / f"{recipe.short}.cdx.json")
        proofs.holds_no_tools(tree, torch=recipe.torch)
        share = proofs.compiled(tree)
        proofs.expect(share > 0.97, f"only {share:.0%} of the modules have bytecode that counts")
        found = Outcome(
            image=recipe.name,
            mib=_size(recipe.tag),
            base_mib=_size(bench.base),
            compressed_mib=sum(pushed.sizes) / MIB,
            base_compressed_mib=pushed.sizes[0] / MIB,
            python_packages=len(software.installed(tree)),
            components=len(bill.components),
            answered="",
            compiled=share,
            cold=None,
            peak_mib=None,
            digest=pushed.digest,
            not_locked=tuple(software.not_locked(tree, recipe.lock, *_other_locks(recipe), pins=recipe.pins)),
        )
    if recipe.name == TRAINING:
        say(f"{recipe.short}: run")
        return replace(found, answered=proofs.trains(recipe))
    pod = proofs.pod(recipe)
    say(f"{recipe.short}: ask it")
    with started(pod) as running:
        answered = proofs.answers(recipe, running)
        proofs.has_no_rights(running)
        peak = running.peak_mib()
        status = running.stop()
        proofs.expect(status == 0, f"asked to end, it ended with {status}")
    say(f"{recipe.short}: cold starts")
    return replace(found, answered=answered, peak_mib=peak, cold=_cold(pod, bench.runs))


def _cold(pod: Pod, runs: int) -> ColdStart:
    bare = Pod(pod.image, {**pod.environment}, pod.scratch, command=("python", "-c", _BARE))
    slow = replace(pod, environment={**pod.environment, **WITHOUT_BYTECODE})
    cases = {"compiled": pod, "uncompiled": slow, "runtime": bare}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(runs + 1):  # the first fills the page cache; it is not counted
        for name, one in cases.items():
            with started(one) as running:
                if number:
                    seconds[name].append(running.seconds)
    return ColdStart(**{name: statistics.median(values) for name, values in seconds.items()})


# The least that can answer: what is left of its time is podman's, runc's and the interpreter's.
_BARE = """
import os, socket
with socket.create_server(("", int(os.environ["PORT"]))) as server:
    while True:
        connection, _ = server.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
        connection.close()
"""


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """The files of *image*, for reading."""
    yield Path(podman("image", "mount", image).strip())
    podman("image", "umount", image)


def _size(image: str) -> float:
    return int(podman("image", "inspect", "--format", "{{.Size}}", image)) / MIB


def _other_locks(recipe: Recipe) -> tuple[Path, ...]:
    """The files beside *recipe*'s lock that pin what they name: weights, and torch by the recipe itself."""
    folder = ROOT / "functions" / recipe.arguments["FUNCTION"] if recipe.arguments else recipe.containerfile.parent
    models = folder / "models.txt"
    return (models,) if models.is_file() else ()
