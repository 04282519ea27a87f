"""An API server's store for custom resources, with the semantics that clients rely on; ``kubernetes_http`` serves it.

As upstream: resourceVersions and 409 for a stale one; server-side apply with owners, 409 with a cause for each field of
another manager, ``force``, and removal of what a manager no longer applies; the status subresource; merge patches;
generation; dry runs; watches with 410 Gone; 403 by the rules of a Role; 422 by the CRD's schema, where an unknown field
is a fault (``fieldValidation=Strict``).
"""

import copy
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import jsonschema

from tests.fakes import kubernetes_fields as fields
from tests.manifests.strict import strict

Body = dict[str, Any]
Key = tuple[str, str, str, str]
_STATUS_REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict",
                   410: "Expired", 415: "UnsupportedMediaType", 422: "Invalid"}  # fmt: skip


class Refused(Exception):
    """An answer that is no success, as ``metav1.Status``."""

    def __init__(self, code: int, message: str, reason: str = "", causes: Sequence[Body] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.body: Body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
                           "message": message, "reason": reason or _STATUS_REASONS[code]}  # fmt: skip
        if causes:
            self.body["details"] = {"causes": list(causes)}


class ApiServer:
    """*schemas* by (group, plural) are CRDs' ``openAPIV3Schema``; *rules* are a Role's; None allows everything.

    ``on_write`` is called with each object that was written, for controllers; ``before`` with each request, for a test
    that wants something to happen in between.
    """

    def __init__(self, schemas: Mapping[tuple[str, str], Body] | None = None) -> None:
        self.objects: dict[Key, Body] = {}
        self.rules: Sequence[Mapping[str, Any]] | None = None
        self.on_write: Callable[[Body], None] = lambda body: None
        self.before: Callable[[str, str], None] = lambda method, path: None
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.url = ""
        self._validators = {
            key: jsonschema.Draft202012Validator(strict(schema, knative=False))
            for key, schema in (schemas or {}).items()
        }
        self._books: dict[Key, list[fields.Entry]] = {}
        self._version, self._compacted = 100, 100
        self._events: list[tuple[int, Key, str, Body]] = []
        self._changed = threading.Condition(threading.RLock())
        self._closed = False

    # what tests do by hand

    def add(self, body: Body, plural: str, manager: str = "kubectl-client-side-apply") -> Body:
        """Put an object there as ``kubectl apply`` of *manager* would."""
        group = body["apiVersion"].rpartition("/")[0]  # none for the core: v1
        key = (group, plural, body["metadata"]["namespace"], body["metadata"]["name"])
        return self.create(key, body, manager)

    def get(self, group: str, plural: str, name: str, namespace: str = "llama-mapper") -> Body:
        with self._changed:
            return self.shown((group, plural, namespace, name))

    def set_status(self, group: str, plural: str, name: str, status: Body, namespace: str = "llama-mapper") -> None:
        """Write a status as a controller does: it makes a new resourceVersion."""
        key = (group, plural, namespace, name)
        with self._changed:
            body = copy.deepcopy(self.objects[key])
            body["status"] = status
            self._write(key, body, "controller", "status")

    def change(self, group: str, plural: str, name: str, patch: Body, manager: str = "kubectl-edit") -> Body:
        """A merge patch by a person."""
        return self.patch((group, plural, "llama-mapper", name), "", patch, "application/merge-patch+json", manager)

    def compact(self) -> None:
        """Forget what was before now: a watch from there is Gone."""
        with self._changed:
            self._events.clear()
            self._compacted = self._version

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # what the HTTP handler does

    def shown(self, key: Key) -> Body:
        if key not in self.objects:
            raise Refused(404, f'{key[1]}.{key[0]} "{key[3]}" not found')
        body = copy.deepcopy(self.objects[key])
        body["metadata"]["managedFields"] = fields.shown(self._books[key], body["apiVersion"])
        return body

    def listed(self, group: str, plural: str, namespace: str, name: str | None, labels: str = "") -> Body:
        with self._changed:
            found = [key for key in sorted(self.objects) if key[:3] == (group, plural, namespace)]
            shown = [self.shown(key) for key in found if name in (None, key[3])]
            items = [body for body in shown if _labelled(body, labels)]
            return {"kind": "List", "apiVersion": f"{group}/v1", "metadata": {"resourceVersion": str(self._version)},
                    "items": items}  # fmt: skip

    def create(self, key: Key, body: Body, manager: str) -> Body:
        with self._changed:
            if key in self.objects:
                raise Refused(409, f'{key[1]}.{key[0]} "{key[3]}" already exists', "AlreadyExists")
            made = copy.deepcopy(body)
            made.pop("status", None)
            if (key[0], key[1]) in self._validators:
                made["spec"] = {"mode": "apply", "paused": False} | made["spec"]  # the schema's defaults
            made["metadata"] |= {
                "namespace": key[2],
                "name": key[3],
                "uid": str(uuid.uuid4()),
                "creationTimestamp": _now(),
                "generation": 0,
            }
            self.objects[key], self._books[key] = {"metadata": made["metadata"]}, []
            try:
                return self._write(key, made, manager, "")
            except Refused:
                del self.objects[key], self._books[key]
                raise

    def replace(self, key: Key, subresource: str, body: Body, manager: str) -> Body:
        with self._changed:
            self._fresh(key, body)
            after = copy.deepcopy(self.objects[key])
            part = "status" if subresource else "spec"
            after[part] = copy.deepcopy(body.get(part, {}))
            return self._write(key, after, manager, subresource)

    def patch(
        self, key: Key, subresource: str, body: Body, kind: str, manager: str, *, force: bool = False, dry: bool = False
    ) -> Body:
        with self._changed:
            self._fresh(key, body)
            after, books = copy.deepcopy(self.objects[key]), copy.deepcopy(self._books[key])
            if kind == "application/apply-patch+yaml":
                if not manager:
                    raise Refused(422, "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
                try:
                    fields.apply(after, body, books, manager, subresource, force=force)
                except fields.Owned as owned:
                    raise _conflict(owned, self.objects[key]["apiVersion"]) from None
                return self._write(key, after, manager, subresource, books=books, dry=dry)
            if kind != "application/merge-patch+json":
                raise Refused(415, f"the body of the request was in an unknown format - {kind}")
            _merge(after, {name: value for name, value in body.items() if name != "metadata"})
            return self._write(key, after, manager, subresource, dry=dry)

    def delete(self, key: Key, preconditions: Body) -> Body:
        with self._changed:
            body = self.shown(key)
            if preconditions.get("uid") not in (None, body["metadata"]["uid"]):
                raise Refused(409, f'Precondition failed: UID in precondition differs: {key[1]} "{key[3]}"')
            self._version += 1
            body["metadata"]["resourceVersion"] = str(self._version)
            del self.objects[key], self._books[key]
            self._events.append((self._version, key, "DELETED", body))
            self._changed.notify_all()
            return body

    def _fresh(self, key: Key, body: Body) -> None:
        named = body.get("metadata", {}).get("resourceVersion")
        if named is not None and named != self.shown(key)["metadata"]["resourceVersion"]:
            raise Refused(
                409,
                f'Operation cannot be fulfilled on {key[1]}.{key[0]} "{key[3]}": the object has been modified; please '
                "apply your changes to the latest version and try again",
            )

    def _write(
        self, key: Key, after: Body, manager: str, subresource: str, books: Any = None, dry: bool = False
    ) -> Body:
        before = self.objects[key]
        for part in ("spec", "status"):  # each endpoint writes its own part
            if "spec" in before and part != (subresource or "spec"):
                after[part] = copy.deepcopy(before.get(part, {}))
        if books is None:
            books = copy.deepcopy(self._books[key])
            fields.updated(before, after, books, manager or "unknown", subresource)
        self._valid(key, after)
        if dry:
            return after
        if {**after, "metadata": 0} == {**before, "metadata": 0} and books == self._books[key]:
            return self.shown(key)
        self._version += 1
        after["metadata"]["resourceVersion"] = str(self._version)
        if after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] += 1
        self.objects[key], self._books[key] = after, books
        self._events.append((self._version, key, "MODIFIED" if "spec" in before else "ADDED", self.shown(key)))
        self._changed.notify_all()
        if subresource != "status":
            self.on_write(self.objects[key])
        return self.shown(key)

    def _valid(self, key: Key, body: Body) -> None:
        validator = self._validators.get((key[0], key[1]))
        for error in validator.iter_errors({**body, "metadata": {"name": key[3]}}) if validator else ():
            at = ".".join(str(part) for part in error.absolute_path)
            raise Refused(422, f'{key[1]} "{key[3]}" is invalid: {at}: {error.message[:200]}')

    def watched(
        self,
        group: str,
        plural: str,
        namespace: str,
        name: str | None,
        since: int,
        seconds: float | None = None,
        labels: str = "",
    ) -> Iterator[Body]:
        """Events after *since*, for *seconds* or as long as the server runs; an ERROR where they are forgotten.

        What no longer has the *labels* is DELETED for who watches by them, as upstream.
        """
        end = time.monotonic() + seconds if seconds else math.inf
        if since < self._compacted:
            message = f"too old resource version: {since} ({self._compacted})"
            yield {"type": "ERROR", "object": Refused(410, message).body}
            return
        while not self._closed and (left := end - time.monotonic()) > 0:
            with self._changed:
                new = [event for event in self._events if event[0] > since]
                if not new:
                    self._changed.wait(None if left == math.inf else left)
            for version, key, kind, body in new:
                since = version
                if key[:3] == (group, plural, namespace) and name in (None, key[3]):
                    yield {"type": kind if _labelled(body, labels) else "DELETED", "object": body}

    def allow(self, verb: str, group: str, resource: str, name: str | None) -> None:
        for rule in self.rules if self.rules is not None else ():
            names = rule.get("resourceNames") or (name,)
            if all((verb in rule["verbs"], group in rule["apiGroups"], resource in rule["resources"], name in names)):
                return
        if self.rules is not None:
            raise Refused(403, f'{resource}.{group} "{name}" is forbidden: cannot {verb}')


def _labelled(body: Body, selector: str) -> bool:
    """Whether *body* has every ``name=value`` of *selector*."""
    labels = body["metadata"].get("labels") or {}
    return all(
        labels.get(name) == value for name, _, value in (part.partition("=") for part in selector.split(",") if part)
    )


def _conflict(owned: fields.Owned, version: str) -> Refused:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}" using {version}',
         "field": "." + ".".join(path)}
        for path, manager in owned.causes
    ]  # fmt: skip
    return Refused(409, f"Apply failed with {len(causes)} conflict(s)", "Conflict", causes)


def _merge(target: Body, patch: Body) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _merge(target[key], value)
        else:
            target[key] = value


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
