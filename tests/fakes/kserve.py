"""What KServe's controller does to an InferenceService of Knative mode, as far as a canary sees it."""

import json
from typing import Any

import yaml

from llama_mapper.cluster import services
from llama_mapper.contracts import canaries
from tests.fakes.kubernetes_api import ApiServer, Body
from tests.manifests.build import ROOT

NAMESPACE = "llama-mapper"
STABLE, CANDIDATE = "s3://llama-mapper/serving/mapper", "s3://llama-mapper/serving/candidate"
FIRST, SECOND = "mapper-predictor-00001", "mapper-predictor-00002"


class KServe:
    """Gives each new predictor spec a revision and splits the traffic; ``ready`` off leaves a new one unready.

    ``settles`` off leaves the traffic as it was, like a Route that has not got round to it.
    """

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self.ready = self.settles = True
        self._revisions: dict[str, str] = {}
        api.on_write = self.reconcile

    def reconcile(self, body: Body) -> None:
        if body["kind"] != services.KIND:
            return
        name, predictor = body["metadata"]["name"], body["spec"]["predictor"]
        percent = predictor.get("canaryTrafficPercent")
        own = json.dumps({key: value for key, value in predictor.items() if key != "canaryTrafficPercent"})
        latest = self._revisions.setdefault(own, f"{name}-predictor-{len(self._revisions) + 1:05d}")
        before = body.get("status", {}).get("components", {}).get("predictor", {})
        status = {**before, "latestCreatedRevision": latest}
        if self.ready:
            status["latestReadyRevision"] = latest
            rolled = before.get("latestRolledoutRevision")
            if percent is None or rolled in (None, latest):
                status["latestRolledoutRevision"] = latest
                status["traffic"] = [{"revisionName": latest, "latestRevision": True, "percent": 100}]
                if rolled not in (None, latest):
                    status["previousRolledoutRevision"] = rolled
            elif self.settles:
                status["traffic"] = [
                    {"revisionName": latest, "latestRevision": True, "percent": percent},
                    {"revisionName": rolled, "latestRevision": False, "percent": 100 - percent, "tag": "prev"},
                ]
        parts = {"components": {"predictor": status}}
        self._api.set_status(services.GROUP, services.PLURAL, name, parts, body["metadata"]["namespace"])

    def again(self, name: str = "mapper") -> None:
        """Reconcile now, whatever was held back before."""
        self.reconcile(self._api.objects[services.GROUP, services.PLURAL, NAMESPACE, name])


def crd() -> Body:
    found: Body = yaml.safe_load((ROOT / "kustomize" / "cluster" / "canaries.yaml").read_text("utf-8"))
    return found


def schema() -> Body:
    """The schema of Canary that the cluster is given."""
    found: Body = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def role() -> list[dict[str, Any]]:
    """The rules of the gate's own Role."""
    rules: list[dict[str, Any]] = yaml.safe_load((ROOT / "functions" / "promote" / "role.yaml").read_text("utf-8"))[
        "rules"
    ]
    return rules


def cluster() -> tuple[ApiServer, KServe]:
    """An API server with our CRD and one InferenceService, that ``kubectl apply`` has made and KServe rolled out."""
    api = ApiServer({(canaries.GROUP, canaries.PLURAL): schema()})
    controller = KServe(api)
    api.add(inference_service(), services.PLURAL)
    return api, controller


def inference_service(**predictor: Any) -> Body:
    model = {"modelFormat": {"name": "vLLM"}, "runtime": "vllm-mapper", "storageUri": STABLE}
    return {
        "apiVersion": f"{services.GROUP}/{services.VERSION}",
        "kind": services.KIND,
        "metadata": {"name": "mapper", "namespace": NAMESPACE},
        "spec": {"predictor": {"minReplicas": 1, "model": model, **predictor}},
    }
