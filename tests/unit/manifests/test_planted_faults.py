"""Faults that people make in manifests, planted one at a time: each is caught, with its object and field."""

import pytest

from tests.manifests import check, schemas
from tests.manifests.objects import Bundle
from tests.manifests.planted import FEATURES, GOOD, PLANTED, Planted, caught, plant

CRDS = schemas.folder()
SCHEMAS = schemas.Schemas(CRDS)


def test_the_set_has_no_fault_before_one_is_planted() -> None:
    assert check.faults(Bundle(GOOD, production=True, features=FEATURES), SCHEMAS) == []


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.what)
def test_a_planted_fault_is_caught_with_its_object_and_field(fault: Planted) -> None:
    if fault.crd and CRDS is None:
        pytest.skip("only the CRD's schema can tell, and upstream's CRDs are not here (MANIFEST_SCHEMAS)")
    assert caught(fault, SCHEMAS), check.faults(plant(fault), SCHEMAS)


@pytest.mark.parametrize(
    ("kind", "flag", "field"),
    [
        ("EventPolicy", "authentication-oidc", "kind"),
        ("Broker", "delivery-retryafter", "spec.delivery.retryAfterMax"),
        ("InferenceService", "kubernetes.podspec-nodeselector", "spec.predictor.nodeSelector"),
    ],
)
def test_a_field_is_refused_until_the_cluster_has_its_flag(kind: str, flag: str, field: str) -> None:
    without = {room: flags - {flag} for room, flags in FEATURES.items()}
    found = check.faults(Bundle(GOOD, production=True, features=without), SCHEMAS)
    assert {(one.object.partition(".")[0], one.field) for one in found} == {(kind, field)}


def test_forty_faults_and_more_are_planted() -> None:
    assert len({fault.what for fault in PLANTED}) == len(PLANTED) >= 40
