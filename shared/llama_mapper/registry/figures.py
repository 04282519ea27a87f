"""What an experiment's ``result.json`` says of the system that serving runs and of those it is compared with."""

from collections.abc import Mapping

from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError

from llama_mapper.contracts.wire import Consumed, Token

from .errors import Unpublishable

# The harder case is the one to judge by: nothing is known of a new vendor, not even what its detector is for.
CASE = "kind_unknown"


class AtCoverage(Consumed):
    """Figures at the threshold that still labels this share of all words."""

    coverage: FiniteFloat
    precision: FiniteFloat
    macro_f1_of_covered: FiniteFloat
    nonsense_abstained: FiniteFloat


class Measured(Consumed):
    """One system's figures over vendors that were left out of training, all of them shares in 0..1."""

    accuracy: FiniteFloat
    ece: FiniteFloat
    at_coverage: AtCoverage

    def named(self) -> dict[str, float]:
        at = self.at_coverage
        return {
            "macro-f1": at.macro_f1_of_covered,
            "coverage": at.coverage,
            "precision": at.precision,
            "nonsense-abstained": at.nonsense_abstained,
            "expected-calibration-error": self.ece,
            "accuracy": self.accuracy,
        }


class Figures(Consumed):
    """``systems`` by case (was the detector's kind told) and by system's name; ``served`` is the one that serving runs.

    ``folds`` and ``cases``: which parts of the vendors were asked about, and how many labels that were.
    """

    folds: tuple[int, ...] = ()
    cases: NonNegativeInt | None = None
    served: Token = "model_and_ranker"
    systems: Mapping[str, Mapping[str, Measured]]
    relation_accuracy: Mapping[str, FiniteFloat] = Field(default_factory=dict)

    def headline(self) -> dict[str, float]:
        """The figures of what serving runs."""
        relations = self.relation_accuracy.get(CASE)
        return self.systems[CASE][self.served].named() | ({} if relations is None else {"relation-accuracy": relations})


def read(result: Mapping[str, object]) -> Figures:
    """Return the figures.

    Raises:
        Unpublishable: the result does not hold those of the system that is served.
    """
    try:
        found = Figures.model_validate(result)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"][:4])
        raise Unpublishable(f"result.json is wrong at {where}") from error
    if found.served not in found.systems.get(CASE, {}):
        raise Unpublishable(f"result.json has no systems.{CASE}.{found.served}: score the experiment with its model")
    return found
