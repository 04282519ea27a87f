import json
import logging
import re
from html import unescape

import httpx
import pytest

from functions.console import samples
from functions.console.adapters import ReviewList
from llama_mapper.contracts.mapping import Mapping
from llama_mapper.contracts.problems import ContentTooLarge, RateLimited
from llama_mapper.taxonomy import Taxonomy
from mapper_serving.reviews import Doubted, noted
from tests.fakes.mapping import finding
from tests.fakes.reviews import AT, UNSURE
from tests.fakes.upstream import Away, Upstream
from tests.unit.console import answers
from tests.unit.console.answers import PARTS

CANARY = "canary jones@example.org <script>alert(1)</script>"
Upstreams = dict[str, Upstream]


def record_answers(upstreams: Upstreams) -> None:
    upstreams["record"].answer("/api/v1/summary", answers.SUMMARY)
    upstreams["record"].answer("/api/v1/requests", answers.REQUESTS)
    upstreams["record"].answer("/api/v1/findings", answers.FINDINGS)
    upstreams["record"].answer("/api/v1/dead-letters", answers.DEAD_LETTERS)


def text_of(answer: httpx.Response) -> str:
    """The words of a page, without tags."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


async def test_overview_shows_parts_totals_and_recent_requests(
    browser: httpx.AsyncClient, upstreams: Upstreams
) -> None:
    record_answers(upstreams)
    answer = await browser.get("/")
    assert answer.status_code == 200
    words = text_of(answer)
    assert words.count("running") == len(PARTS)
    for expected in (
        "1,234 requests",
        "Redact",
        "third party",
        "not asked",
        "pending",
        "64",
        "2026-11-20 08:30:00 UTC",
    ):
        assert expected in words


async def test_overview_asks_for_the_tenant_of_the_settings(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    record_answers(upstreams)
    await browser.get("/")
    tenants = {headers["x-tenant-id"] for _, url, headers, _ in upstreams["record"].asked if url.startswith("/api")}
    assert tenants == {"demo"}


async def test_overview_of_an_empty_store_says_so(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    upstreams["record"].answer("/api/v1/summary", answers.NOTHING)
    upstreams["record"].answer("/api/v1/requests", answers.NO_REQUESTS)
    words = text_of(await browser.get("/"))
    assert "Nothing has been found yet." in words
    assert "No request yet." in words


class TestWithoutRecord:
    @pytest.fixture
    def upstreams(self) -> dict[str, Upstream | Away]:
        return {name: Away() if name == "record" else Upstream() for name in PARTS}

    async def test_overview_shows_the_rest(self, browser: httpx.AsyncClient) -> None:
        answer = await browser.get("/")
        words = text_of(answer)
        assert answer.status_code == 200
        assert words.count("running") >= len(PARTS) - 1
        assert "record no answer" in words
        assert words.count("record does not answer; is it running?") == 1

    @pytest.mark.parametrize("path", ["/requests/req-00000001", "/dead-letters"])
    async def test_page_of_rows_says_why_it_is_empty(self, browser: httpx.AsyncClient, path: str) -> None:
        answer = await browser.get(path)
        assert answer.status_code == 200
        assert "record does not answer" in answer.text


async def test_request_page_shows_findings_risk_and_controls(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    record_answers(upstreams)
    words = text_of(await browser.get("/requests/req-00000001"))
    for expected in ("EMAIL_ADDRESS", "presidio", "high", "gdpr", "Art. 4(1)", "curated rule, exact"):
        assert expected in words


async def test_dead_letters_are_listed(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    record_answers(upstreams)
    words = text_of(await browser.get("/dead-letters"))
    for expected in ("report-1", "422 UNPROCESSABLE", "http://mapper/events"):
        assert expected in words


async def test_labels_that_wait_are_listed_with_what_they_might_be(
    browser: httpx.AsyncClient, upstreams: Upstreams
) -> None:
    unsure = noted(finding("<b>MAIL</b>", "acme", "2.1"), UNSURE, AT)
    nobody = noted(finding("FROB", "acme"), Doubted("unknown"), AT)
    upstreams["mapper"].answer("/api/v1/reviews", ReviewList((unsure, nobody)))
    answer = await browser.get("/reviews")
    words = text_of(answer)
    assert "<b>MAIL" not in answer.text
    for expected in ("acme 2.1", "Email 0.50", "not sure enough", "FROB", "nothing is suggested", "nothing knows it"):
        assert expected in words
    assert upstreams["mapper"].asked[-1][2]["x-tenant-id"] == "demo"


async def test_an_empty_queue_and_one_that_cannot_be_asked_say_so(
    browser: httpx.AsyncClient, upstreams: Upstreams
) -> None:
    assert "mapper answered (404)" in text_of(await browser.get("/reviews"))
    upstreams["mapper"].answer("/api/v1/reviews", ReviewList(()))
    assert "None." in text_of(await browser.get("/reviews"))


async def test_text_is_sent_to_orchestrate_as_typed(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    upstreams["orchestrate"].answer("/api/v1/orchestrate", answers.JUDGED)
    await browser.post("/try", data={"content": "line one\nline ü two ", "family": ["pii", "secrets"]})
    method, url, headers, body = upstreams["orchestrate"].asked[-1]
    assert (method, url, headers["x-tenant-id"]) == ("POST", "/api/v1/orchestrate", "demo")
    assert (body["content"], body["detector_types"]) == ("line one\nline ü two ", ["pii", "secrets"])


async def test_judgement_is_shown_with_its_reasons(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    upstreams["orchestrate"].answer("/api/v1/orchestrate", answers.JUDGED)
    answer = await browser.post("/try", data={"content": "Mail to me."})
    words = text_of(answer)
    for expected in (
        "Redact",
        "label.pii",
        "mask_spans",
        "64 risk of 100",
        "50 % coverage",
        "Not judged by tox-block.",
        "Fallbacks taken: mapper.timeout.",
        "An address identifies its owner.",
        "no fitting control",
        "A date alone leads to nobody.",
        "The heaviest is an address.",
        "stands in",
    ):
        assert expected in words


async def test_places_are_sent_for_the_browser_to_mark(browser: httpx.AsyncClient, upstreams: Upstreams) -> None:
    upstreams["orchestrate"].answer("/api/v1/orchestrate", answers.JUDGED)
    answer = await browser.post("/try", data={"content": "Mail to jones@example.org"}, headers={"X-Fragment": "true"})
    found = re.search(r'data-marks="([^"]*)"', answer.text)
    assert found
    assert json.loads(unescape(found.group(1))) == [
        {"start": 8, "end": 24, "label": "PII.Contact.Email", "severity": 2}
    ]


@pytest.mark.parametrize("fragment", [{}, {"X-Fragment": "true"}])
async def test_text_comes_back_in_no_answer_and_no_log(
    browser: httpx.AsyncClient, upstreams: Upstreams, fragment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    upstreams["orchestrate"].answer("/api/v1/orchestrate", answers.JUDGED)
    with caplog.at_level(logging.DEBUG):
        answer = await browser.post("/try", data={"content": CANARY}, headers=fragment)
    assert "canary" not in answer.text
    assert "canary" not in caplog.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/try", "/map"])
async def test_empty_form_names_the_field(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.post(path, data={"content": "  "})
    assert "Please check the form." in answer.text


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (RateLimited("600 requests a minute are allowed"), "orchestrate: 600 requests a minute are allowed"),
        (ContentTooLarge("at most 50,000 characters"), "orchestrate: at most 50,000 characters"),
    ],
)
async def test_refusal_of_orchestrate_is_shown(
    browser: httpx.AsyncClient, upstreams: Upstreams, problem: RateLimited | ContentTooLarge, words: str
) -> None:
    upstreams["orchestrate"].answer("/api/v1/orchestrate", problem.document("corr-0000001"), problem.status)
    assert words in text_of(await browser.post("/try", data={"content": "text"}))


async def test_answer_of_another_release_is_not_a_crash(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/try", data={"content": "text"})
    assert answer.status_code == 200
    assert "in a shape this release does not know" in answer.text


@pytest.mark.parametrize("key", samples.TEXTS)
async def test_sample_fills_the_form(browser: httpx.AsyncClient, key: str) -> None:
    answer = await browser.get("/try", params={"sample": key})
    assert samples.TEXTS[key].text in unescape(answer.text)


@pytest.mark.parametrize("path", ["/try?sample=nothing", "/map?sample=nothing"])
async def test_unknown_sample_gives_an_empty_form(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 200


async def test_mapping_is_shown_with_its_meaning(
    browser: httpx.AsyncClient, upstreams: Upstreams, taxonomy: Taxonomy
) -> None:
    upstreams["mapper"].answer("/api/v1/map", answers.mapped())
    words = text_of(await browser.post("/map", data={"detector": "presidio", "label": "EMAIL_ADDRESS"}))
    assert taxonomy["PII.Contact.Email"].definition in words
    assert "the canonical label means the same" in words


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (answers.mapped(negative=True), "the detector says that there is nothing"),
        (answers.mapped(review=True), "in the review queue"),
    ],
)
async def test_mapping_that_says_more_is_explained(
    browser: httpx.AsyncClient, upstreams: Upstreams, what: Mapping, words: str
) -> None:
    upstreams["mapper"].answer("/api/v1/map", what)
    assert words in text_of(await browser.post("/map", data={"detector": "acme", "label": "x"}))


async def test_value_that_is_no_label_is_refused_without_repeating_it(
    browser: httpx.AsyncClient, upstreams: Upstreams
) -> None:
    answer = await browser.post("/map", data={"detector": "acme", "label": "canary jones@example.org"})
    assert "looks like content" in answer.text
    assert "canary" not in answer.text
    assert upstreams["mapper"].asked == []


async def test_every_label_is_in_the_tree(browser: httpx.AsyncClient, taxonomy: Taxonomy) -> None:
    page = (await browser.get("/taxonomy")).text
    linked = set(re.findall(r'href="/taxonomy/([^"]+)"', page))
    assert {label.name for label in taxonomy.labels if label.parent} <= linked


@pytest.mark.parametrize(
    ("words", "label"), [("e-mail address", "PII.Contact.Email"), ("passport", "PII.Identifier.Passport")]
)
async def test_search_finds_a_label(browser: httpx.AsyncClient, words: str, label: str) -> None:
    answer = await browser.get("/taxonomy", params={"q": words}, headers={"X-Fragment": "true"})
    assert f'href="/taxonomy/{label}"' in answer.text
    assert "<html" not in answer.text


async def test_search_without_a_match_says_so(browser: httpx.AsyncClient) -> None:
    assert "No label matches." in (await browser.get("/taxonomy", params={"q": "zzzz"})).text


async def test_every_label_has_a_page(browser: httpx.AsyncClient, taxonomy: Taxonomy) -> None:
    for label in taxonomy.labels:
        answer = await browser.get(f"/taxonomy/{label.name}")
        assert answer.status_code == 200
        assert label.definition in text_of(answer)


@pytest.mark.parametrize(
    ("path", "status"), [("/nope", 404), ("/taxonomy/PII.Nope", 404), ("/requests/a b", 400), ("/static/nope.css", 404)]
)
async def test_fault_is_answered_with_a_page(browser: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await browser.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


@pytest.mark.parametrize("path", ["/", "/try", "/map", "/taxonomy", "/nope", "/static/console.js"])
async def test_policy_forbids_foreign_and_inline_code(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(
        r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|https?://", answer.text.replace("http://www.w3.org", "")
    )


async def test_what_a_reader_types_is_escaped(browser: httpx.AsyncClient) -> None:
    assert "<script>alert" not in (await browser.get("/taxonomy", params={"q": CANARY})).text


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
async def test_form_of_another_site_is_refused(
    browser: httpx.AsyncClient, upstreams: Upstreams, site: str, status: int
) -> None:
    upstreams["orchestrate"].answer("/api/v1/orchestrate", answers.JUDGED)
    answer = await browser.post("/try", data={"content": "text"}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == status
    assert bool(upstreams["orchestrate"].asked) == (status == 200)


@pytest.mark.parametrize(
    ("body", "status"), [(b"\xff\xfe=1", 400), (b"a=1&" * 64, 400), (b"content=" + b"x" * 70_000, 413)]
)
async def test_form_that_cannot_be_read_is_refused(browser: httpx.AsyncClient, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await browser.post("/try", content=body, headers=headers)).status_code == status


@pytest.mark.parametrize("path", ["/static/console.css", "/static/console.js", "/static/icon.svg", "/health", "/ready"])
async def test_file_or_probe_is_there(browser: httpx.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 200
