"""The custom resource ``Canary``: one candidate for an InferenceService, what people want of it and what the gate did.

Its OpenAPI schema is ``kustomize/cluster/canaries.yaml``; a test holds the two together. Fields are camelCase in the
cluster. The status is all that ``functions/promote`` remembers.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, FiniteFloat, NonNegativeInt, PositiveInt, StringConstraints
from pydantic.alias_generators import to_camel

from .evaluation import GateName
from .identifiers import AnyEvaluationId, AnyEventId
from .wire import Consumed, Number, Token

GROUP, VERSION, PLURAL, KIND = "llama-mapper.io", "v1alpha1", "canaries", "Canary"

KubernetesName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
StorageUri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*://[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,399}$")]
Percent = Annotated[int, Field(ge=0, le=100), Number]
ReasonWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]([A-Za-z0-9_,:-]{0,126}[A-Za-z0-9_])?$")]
"""One word in the way of Kubernetes' conditions."""
Explanation = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$")]
"""One line for a person: numbers, revisions and names of measures."""

Mode = Literal["apply", "dry-run", "gitops"]
Override = Literal["promote", "rollback"]
Phase = Literal["Pending", "Progressing", "Promoted", "RolledBack"]
Decision = Literal["promote", "hold", "rollback"]


class _Resource(Consumed):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def manifest(self) -> dict[str, Any]:
        """The fields as the API server takes them."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class CanarySpec(_Resource):
    """What a person asks for."""

    inference_service: KubernetesName
    storage_uri: StorageUri = Field(description="Where the candidate lies")
    stable_storage_uri: StorageUri | None = Field(default=None, description="What was served before it")
    adapter: Token | None = Field(
        default=None, description="Whose evaluations are the candidate's: their adapter, or model where they name none"
    )
    mode: Mode = "apply"
    paused: bool = Field(default=False, description="Go no step forward; a regression still rolls back")
    override: Override | None = Field(default=None, description="A person's decision, taken at the next look")


class Condition(_Resource):
    """As ``metav1.Condition``."""

    type: Literal["Progressing", "Promoted", "RolledBack"]
    status: Literal["True", "False", "Unknown"]
    reason: ReasonWord
    message: Explanation = ""
    last_transition_time: AwareDatetime
    observed_generation: NonNegativeInt = 0


class Revisions(_Resource):
    """The Knative revisions of the predictor that are compared."""

    stable: KubernetesName
    candidate: KubernetesName


class Calls(_Resource):
    """Calls of the model since the step began."""

    stable: NonNegativeInt
    candidate: NonNegativeInt


class CanaryVerdict(_Resource):
    decision: Decision
    reason: ReasonWord
    reasons: tuple[Explanation, ...] = Field(default=(), max_length=16)
    calls: Calls | None = None
    at: AwareDatetime


class Golden(_Resource):
    """The last evaluation of the candidate on the golden set. A gate in neither list was not measured."""

    evaluation_id: AnyEvaluationId
    golden_set: Token
    golden_set_version: Token
    cases: PositiveInt
    metrics: dict[Token, FiniteFloat] = Field(max_length=64)
    gates_passed: tuple[GateName, ...] = ()
    gates_failed: tuple[GateName, ...] = ()
    at: AwareDatetime


class StepIntent(_Resource):
    """A step that is decided and not yet known to be done: written before anything is changed, so that a gate that
    dies in between, or two at once, end with the same step and the same event."""

    event_id: AnyEventId
    from_percent: Percent
    to_percent: Percent
    decision: Literal["start", "promote", "rollback"]
    reason: ReasonWord
    generation: NonNegativeInt = Field(description="Of the InferenceService that was judged")
    calls: Calls | None = None
    at: AwareDatetime


class CanaryStatus(_Resource):
    phase: Phase = "Pending"
    step: NonNegativeInt = 0
    percent: Percent = 0
    step_started_at: AwareDatetime | None = Field(
        default=None, description="When the traffic was seen at this step's share; calls count from then"
    )
    revisions: Revisions | None = None
    last_verdict: CanaryVerdict | None = None
    golden: Golden | None = None
    intent: StepIntent | None = None
    conditions: tuple[Condition, ...] = Field(default=(), max_length=8)
    observed_generation: NonNegativeInt = 0


class Canary(Consumed):
    """One object as the API server gives it."""

    name: KubernetesName
    namespace: KubernetesName
    uid: Token
    generation: NonNegativeInt
    resource_version: Token
    created_at: AwareDatetime
    spec: CanarySpec
    status: CanaryStatus

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Canary":
        """Read an object of the API.

        Raises:
            ValidationError: it is none that this release understands.
        """
        meta = body["metadata"]
        return cls.model_validate(
            {
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
                "generation": meta.get("generation", 0),
                "resource_version": meta["resourceVersion"],
                "created_at": meta["creationTimestamp"],
                "spec": body["spec"],
                "status": body.get("status") or {},
            }
        )

    @property
    def over(self) -> bool:
        return self.status.phase in ("Promoted", "RolledBack")
