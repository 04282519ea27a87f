"""``kubectl`` for scripts that move a Knative Service's traffic: a file holds the Service, kustomize is the real one.

usage: FAKE_KUBECTL=state.json REAL_KUBECTL=kubectl python kubectl.py ARGUMENTS
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

STATE = Path(os.environ["FAKE_KUBECTL"])


def main(words: list[str]) -> int:
    state: dict[str, Any] = json.loads(STATE.read_text("utf-8"))
    state["asked"].append(words)
    verb = next(word for word in words if word in ("get", "patch", "apply", "wait"))
    if verb == "get":
        sys.stdout.write(_path(state["service"], words[-1].removeprefix("jsonpath=")))
    elif verb == "patch":
        state["service"]["spec"]["traffic"] = json.loads(words[-1])["spec"]["traffic"]
    elif verb == "apply":
        _apply(state, words[-1])
    STATE.write_text(json.dumps(state), "utf-8")
    return 0


def _apply(state: dict[str, Any], folder: str) -> None:
    command = [os.environ["REAL_KUBECTL"], "kustomize", folder]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    service = state["service"]
    for document in yaml.safe_load_all(rendered):
        if (document["kind"], document["metadata"]["name"]) == ("Service", service["metadata"]["name"]):
            service["spec"]["traffic"] = document["spec"]["traffic"]
            service["status"] |= state["after_apply"]


def _path(value: Any, path: str) -> str:
    """The few JSONPaths that are asked for: fields, and a list's entry by its tag."""
    for part in re.findall(r"\.(\w+)|\[\?\(@\.tag==\"(\w+)\"\)\]", path):
        if part[0]:
            value = value.get(part[0]) if isinstance(value, dict) else None
        else:
            value = next((row for row in value or () if row.get("tag") == part[1]), None)
    return "" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
