"""An InferenceService as a canary sees it."""

from typing import Any

from llama_mapper.contracts.canaries import Revisions
from llama_mapper.contracts.wire import Wire

GROUP, VERSION, PLURAL, KIND = "serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService"
PERCENT_FIELD = ("f:spec", "f:predictor", "f:canaryTrafficPercent")


class Service(Wire):
    """What of an InferenceService decides about a canary.

    ``percent`` is ``canaryTrafficPercent``, None without one; ``candidate_share`` what Knative really sends to the
    latest revision, None before there are two.
    """

    name: str
    generation: int
    resource_version: str
    storage_uri: str | None
    percent: int | None
    owners: tuple[str, ...]
    """Field managers of ``canaryTrafficPercent``."""
    latest_created: str | None
    latest_ready: str | None
    rolled_out: str | None
    candidate_share: int | None

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Service":
        meta, predictor = body["metadata"], body["spec"]["predictor"]
        status = body.get("status", {}).get("components", {}).get("predictor", {})
        latest = status.get("latestCreatedRevision")
        return cls(
            name=meta["name"],
            generation=meta.get("generation", 0),
            resource_version=meta["resourceVersion"],
            storage_uri=predictor.get("model", {}).get("storageUri"),
            percent=predictor.get("canaryTrafficPercent"),
            owners=tuple(_owners(meta.get("managedFields", ()))),
            latest_created=latest,
            latest_ready=status.get("latestReadyRevision"),
            rolled_out=status.get("latestRolledoutRevision"),
            candidate_share=_share(status.get("traffic", ()), latest),
        )

    @property
    def revisions(self) -> Revisions | None:
        """The two that are compared; None where the newest is not ready, or is the only one."""
        if self.latest_created is None or self.rolled_out is None or self.latest_created != self.latest_ready:
            return None
        if self.rolled_out == self.latest_created:
            return None
        return Revisions(stable=self.rolled_out, candidate=self.latest_created)


def _share(traffic: Any, revision: str | None) -> int | None:
    shares = [int(row.get("percent") or 0) for row in traffic if row.get("revisionName") == revision]
    return sum(shares) if shares else None


def _owners(managed: Any) -> list[str]:
    found = []
    for row in managed:
        fields: Any = row.get("fieldsV1", {})
        for part in PERCENT_FIELD:
            fields = fields.get(part) if isinstance(fields, dict) else None
        if fields is not None:
            found.append(str(row["manager"]))
    return found
