"""The review queue as a person sees it, from a mapper that says what a test wants."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llama_mapper.cli.main import app
from llama_mapper.contracts.reviews import ReviewItem, ReviewRequest

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"
MAIL: dict[str, Any] = {
    "id": FIRST,
    "detector": "acme",
    "detector_version": "2.1",
    "label": "CUST_MAIL",
    "description": "where to write",
    "kind": "pii",
    "count": 7,
    "reason": "below_threshold",
    "candidates": [
        {"label": "PII.Contact.Email", "confidence": 0.52, "relation": "broader"},
        {"label": "PII.Contact", "confidence": 0.31, "relation": None},
    ],
    "adapter": "lora.1",
    "first_seen": "2026-11-20T08:00:00Z",
    "last_seen": "2026-11-23T09:30:00Z",
    "decision": None,
}
NOBODY = MAIL | {
    "id": SECOND, "label": "FROB", "detector_version": "unknown", "description": None, "candidates": [],
    "reason": "unknown", "adapter": None,
}  # fmt: skip
AT = "2026-11-23T10:00:00Z"


class Mapper(BaseHTTPRequestHandler):
    """Stands in for the mapper's review queue; keeps what was asked, and by whom."""

    asked: list[tuple[str, str, str | None]]
    said: list[dict[str, Any]]
    waiting: list[dict[str, Any]]
    url: str

    def do_GET(self) -> None:
        self.asked.append(("GET", self.path, self.headers["X-Tenant-ID"]))
        _, _, review_id = self.path.partition("/api/v1/reviews/")
        found = [item for item in self.waiting if item["id"] == review_id]
        if not review_id:
            self._answer(200, self.waiting)
        elif found:
            self._answer(200, found[0])
        else:
            self._answer(404, {"detail": "no label of this tenant waits or is decided under that id"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(("POST", self.path, self.headers["X-Tenant-ID"]))
        self.said.append(ReviewRequest.model_validate(body).model_dump(mode="json", exclude_none=True))
        if body["labels"][:1] == [{"label": "PII.Contact.Mail", "relation": "exact"}]:
            self._answer(400, {"detail": "check: labels.0.label"})
        else:
            item = next(item for item in self.waiting if self.path.endswith(item["id"]))
            self._answer(200, item | {"decision": body | {"at": AT}})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Nothing is printed."""


@pytest.fixture
def mapper() -> Iterator[type[Mapper]]:
    class Fresh(Mapper):
        """State of one test."""

    Fresh.asked, Fresh.said, Fresh.waiting = [], [], [MAIL, NOBODY]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    Fresh.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


def call(mapper: type[Mapper], *words: str, keys: str = "") -> Result:
    words = ("review", *words, "--url", mapper.url)
    return CliRunner().invoke(app, words, input=keys, env={"COLUMNS": "200", "LOGNAME": "ada"})


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines() if line.strip()]


def test_the_answers_of_this_page_are_those_of_the_contract() -> None:
    for item in (MAIL, NOBODY):
        ReviewItem.model_validate(item)


def test_what_waits_is_a_table_with_what_each_label_might_be(mapper: type[Mapper]) -> None:
    assert lines(call(mapper, "list", "--limit", "5", "--tenant", "acme")) == [
        "id label detector description count might be reason",
        f"{FIRST} CUST_MAIL acme 2.1 where to write 7 PII.Contact.Email 0.52 not sure enough",
        "PII.Contact 0.31",
        f"{SECOND} FROB acme 7 nothing knows it",
    ]
    assert mapper.asked == [("GET", "/api/v1/reviews?limit=5&state=waiting&scope=tenant", "acme")]


def test_what_was_decided_is_a_table_of_meanings(mapper: type[Mapper]) -> None:
    accepted = {"decision": "accept", "labels": [{"label": "HARM", "relation": "related"}], "by": "ada", "at": AT}
    mapper.waiting = [MAIL | {"decision": accepted}]
    heading, row = lines(call(mapper, "list", "--state", "accepted"))
    assert heading.endswith("count means")
    assert row.endswith("7 HARM (related)")
    assert mapper.asked[0][1].endswith("state=accepted&scope=tenant")


@pytest.mark.parametrize(
    ("words", "said"), [([], "nothing waits for a person\n"), (["--state", "rejected"], "nothing is rejected\n")]
)
def test_nothing_is_said(mapper: type[Mapper], words: list[str], said: str) -> None:
    mapper.waiting = []
    assert call(mapper, "list", *words).stdout == said


@pytest.mark.parametrize(("words", "answer"), [(["list"], [MAIL, NOBODY]), (["show", FIRST], MAIL)])
def test_what_is_shown_can_be_had_as_json(mapper: type[Mapper], words: list[str], answer: object) -> None:
    assert json.loads(call(mapper, *words, "--json").stdout) == answer


def test_one_label_is_shown_with_all_that_is_known(mapper: type[Mapper]) -> None:
    assert lines(call(mapper, "show", FIRST)) == [
        f"id {FIRST}",
        "label CUST_MAIL",
        "description where to write",
        "detector acme (2.1)",
        "kind pii",
        "came 7 times, 2026-11-20 08:00 to 2026-11-23 09:30",
        "waits because not sure enough (lora.1)",
        "1 PII.Contact.Email 0.52 (broader)",
        "2 PII.Contact 0.31",
    ]


def test_a_decided_label_says_who_decided_what_and_why(mapper: type[Mapper]) -> None:
    rejected = {"decision": "reject", "by": "ada", "note": "a test", "scope": "platform", "at": AT}
    mapper.waiting = [NOBODY | {"decision": rejected}]
    shown = lines(call(mapper, "show", SECOND))
    assert "decided no canonical label fits, ada, 2026-11-23 10:00 for all tenants" in shown
    assert "note a test" in shown


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ([], [{"label": "PII.Contact.Email", "relation": "broader"}]),
        (["PII.Contact"], [{"label": "PII.Contact", "relation": "exact"}]),
        (["PII.Contact.Email", "--relation", "narrower"], [{"label": "PII.Contact.Email", "relation": "narrower"}]),
        (["HARM", "BIAS"], [{"label": "HARM", "relation": "exact"}, {"label": "BIAS", "relation": "exact"}]),
    ],
)
def test_a_label_is_accepted_as_the_best_candidate_or_as_told(
    mapper: type[Mapper], words: list[str], labels: list[dict[str, str]]
) -> None:
    result = call(mapper, "accept", FIRST, *words, "--by", "bob", "--note", "their word", "--tenant", "acme")
    meaning = ", ".join(f"{label['label']} ({label['relation']})" for label in labels)
    assert lines(result) == [f"acme CUST_MAIL: {meaning}"]
    assert mapper.said == [
        {"decision": "accept", "labels": labels, "by": "bob", "note": "their word", "scope": "tenant"}
    ]
    assert mapper.asked[-1] == ("POST", f"/api/v1/reviews/{FIRST}", "acme")


def test_a_label_without_a_home_is_rejected_by_who_is_logged_in(mapper: type[Mapper]) -> None:
    result = call(mapper, "reject", SECOND, "--scope", "platform")
    assert lines(result) == ["acme FROB: no canonical label fits"]
    assert mapper.said == [{"decision": "reject", "labels": [], "by": "ada", "scope": "platform"}]


@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (["accept", SECOND], "nothing is suggested for this label: say what it means", 2),
        (["accept", FIRST, "email"], "label: String should match pattern", 2),
        (["accept", FIRST, "--by", "Ada Lovelace"], "by: String should match pattern", 2),
        (["accept", FIRST, "--note", "ask ada@example.org"], "note: Value error", 2),
        (["accept", FIRST, "PII.Contact.Mail"], "answered 400: check: labels.0.label", 1),
        (["reject", "0" * 16], "answered 404: no label of this tenant", 1),
        (["show", "../map"], "an id is sixteen hexadecimal digits", 2),
    ],
)
def test_what_cannot_be_decided_is_refused_in_one_line(
    mapper: type[Mapper], words: list[str], said: str, status: int
) -> None:
    result = call(mapper, *words)
    assert result.exit_code == status, result.output
    (line,) = result.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("q\n", []),
        ("\n\n", []),
        ("s\nr\n", [("FROB", [])]),
        ("1\n\nq\n", [("CUST_MAIL", [("PII.Contact.Email", "broader")])]),
        ("2\nnarrower\nHARM\n\n", [("CUST_MAIL", [("PII.Contact", "narrower")]), ("FROB", [("HARM", "exact")])]),
        ("nonsense\n1\nlike\nexact\nq\n", [("CUST_MAIL", [("PII.Contact.Email", "exact")])]),
        ("7\nr\nq\n", [("CUST_MAIL", [])]),
    ],
)
def test_one_after_another_is_decided_by_keys(
    mapper: type[Mapper], keys: str, said: list[tuple[str, list[tuple[str, str]]]]
) -> None:
    result = call(mapper, "next", keys=keys)
    assert result.exit_code == 0, result.output
    posted = [path.rpartition("/")[2] for method, path, _ in mapper.asked if method == "POST"]
    words = {item["id"]: item["label"] for item in mapper.waiting}
    told = [[(label["label"], label["relation"]) for label in request["labels"]] for request in mapper.said]
    assert list(zip([words[review_id] for review_id in posted], told, strict=True)) == said


def test_what_the_mapper_refuses_is_asked_again(mapper: type[Mapper]) -> None:
    result = call(mapper, "next", keys="PII.Contact.Mail\n\nr\nq\n")
    assert "answered 400: check: labels.0.label" in result.stderr
    assert [request["decision"] for request in mapper.said] == ["accept", "reject"]


def test_nothing_to_go_through_is_said(mapper: type[Mapper]) -> None:
    mapper.waiting = []
    assert call(mapper, "next").stdout == "nothing waits for a person\n"


@pytest.mark.parametrize("command", ["list", "show", "accept", "reject", "next", "export"])
def test_help_shows_an_example(command: str) -> None:
    result = CliRunner().invoke(app, ["review", command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert f"Example: llama-mapper review {command}" in result.stdout
