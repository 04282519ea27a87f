"""The mapper as KServe's clients see it."""

import json
from typing import Any

import pytest

from .conftest import EMAIL, JSON, Client, problem

# KServe answers V1 with a response class that FastAPI has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:ORJSONResponse is deprecated")

V1, V2 = "/v1/models/mapper:predict", "/v2/models/mapper/infer"


async def test_kserve_v1_predicts(client: Client) -> None:
    response = await client().post(V1, json={"instances": [EMAIL, {"detector": "x"}]})
    assert response.status_code == 200
    predictions = response.json()["predictions"]
    assert [one["status"] for one in predictions] == [200, 400]
    assert predictions[0]["mapping"]["labels"][0]["label"] == "PII.Contact.Email"


@pytest.mark.parametrize("body", [{}, [], 3, None, {"instances": "x"}, {"instances": []}, {"inputs": [EMAIL]}])
async def test_a_wrong_v1_request_is_a_problem_that_names_instances(client: Client, body: Any) -> None:
    response = await client().post(V1, content=json.dumps(body), headers=JSON)
    assert [error["field"] for error in problem(response, 400)["errors"]] == ["instances"]


def tensor(*rows: object, datatype: str = "BYTES", **rest: object) -> dict[str, object]:
    one = {"name": "findings", "shape": [len(rows)], "datatype": datatype, "data": list(rows)} | rest
    return {"inputs": [one]}


async def test_kserve_v2_infers(client: Client) -> None:
    body = tensor(json.dumps(EMAIL), json.dumps({"detector": "x"})) | {"id": "r1"}
    response = await client().post(V2, json=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["id"], answer["model_name"]) == ("r1", "mapper")
    (output,) = answer["outputs"]
    assert (output["name"], output["shape"], output["datatype"]) == ("mappings", [2], "BYTES")
    assert [json.loads(row)["status"] for row in output["data"]] == [200, 400]


@pytest.mark.parametrize(
    "body",
    [
        tensor(1.0, datatype="FP32"),
        tensor(json.dumps(EMAIL), datatype="FP16"),
        tensor(json.dumps(EMAIL), datatype="TEXT"),
        tensor("canary, not json"),
        tensor(None),
        tensor([json.dumps(EMAIL)]),
        tensor("\ud800"),
        tensor(json.dumps(EMAIL), data=None),
        tensor(json.dumps(EMAIL), data={"a": 1}),
        tensor(json.dumps(EMAIL), name=None),
        {"inputs": []},
        {"inputs": [{"name": "x"}]},
        {"inputs": "canary"},
        {},
        [],
        None,
    ],
)
async def test_a_wrong_v2_request_is_a_problem_and_not_a_crash(client: Client, body: Any) -> None:
    response = await client().post(V2, content=json.dumps(body), headers=JSON)
    problem(response, 400)
    assert "canary" not in response.text


@pytest.mark.parametrize("length", ["92", "x", "-1", "100000"])
async def test_binary_tensors_are_refused(client: Client, length: str) -> None:
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": length}
    problem(await client().post(V2, content=b'{"inputs":[]}canary', headers=headers), 400)


async def test_another_model_is_not_here(client: Client) -> None:
    asked = client()
    for path in ("/v1/models/other:predict", "/v2/models/other/infer"):
        problem(await asked.post(path, json=tensor("{}")), 404)
    problem(await asked.get("/v2/models/other/ready"), 404)


async def test_nobody_can_unload_the_mapper(client: Client) -> None:
    asked = client()
    for verb in ("unload", "load"):
        problem(await asked.post(f"/v2/repository/models/mapper/{verb}", json={}), 404)
    assert (await asked.get("/v2/models/mapper/ready")).status_code == 200


async def test_what_the_mapper_does_not_do_is_a_problem_and_not_a_crash(client: Client) -> None:
    asked = client()
    problem(await asked.post("/v1/models/mapper:explain", json={"instances": [EMAIL]}), 405)
    problem(await asked.post("/v2/models/mapper/versions/1/infer", json=tensor("{}")), 404)
    problem(await asked.post(V2, params={"model_version": "1"}, json=tensor("{}")), 400)


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/mapper", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/mapper"]
)
async def test_kserve_can_ask_how_the_mapper_is(client: Client, path: str) -> None:
    assert (await client().get(path)).status_code == 200
