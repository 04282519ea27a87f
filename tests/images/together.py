"""The images as one system: content posted to orchestrate's comes back judged by those behind it."""

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import replace

import httpx

from . import proofs
from .containers import started
from .recipes import Recipe

PARTS = ("detect", "mapper", "analyze")
DOOR = "orchestrate"
_WANTED = {"detector_types": ["presidio", "tox-block"], "priority": "low", "content": proofs.TEXT}


def judge(built: Collection[Recipe]) -> str | None:
    """What the system answered in a few words; None where a part of it was not built.

    Raises:
        CommandFailed: a part does not start.
        ProofFailed: the answer lacks what a part should have added.
    """
    known = {recipe.short: recipe for recipe in built}
    if not {*PARTS, DOOR} <= set(known):
        return None
    with ExitStack() as stack:
        urls = {name: stack.enter_context(started(proofs.pod(known[name]))).url for name in PARTS}
        own = {f"ORCHESTRATION_{name.upper()}_URL": url for name, url in urls.items()}
        pod = proofs.pod(known[DOOR])
        door = stack.enter_context(started(replace(pod, environment={**pod.environment, **own}), health="/ready"))
        with httpx.Client(base_url=door.url, timeout=60, headers={"X-Tenant-ID": "demo"}) as http:
            answer = [http.post("/api/v1/orchestrate", json=_WANTED) for _ in range(3)][-1]  # the first are cold
    proofs.expect(answer.status_code == 200, f"orchestrate answered {answer.status_code}: {answer.text[:300]}")
    body = answer.json()
    labels = {finding["label"] for finding in body["findings"]}
    proofs.expect("PII.Contact.Email" in labels, f"no e-mail address among {sorted(labels)}")
    proofs.expect(bool(body["analysis"]) and not body["degraded"], f"a part was missed: {body['degraded']}")
    return f"{len(labels)} labels, decision {body['decision']['action']}, risk {body['analysis']['risk']['level']}"
