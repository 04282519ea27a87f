import io

import pytest

from llama_mapper.cli.scan_input import Item, Shape, Unreadable, read


def texts(source: bytes, shape: Shape, name: str | None = None) -> list[tuple[int, str]]:
    """(line, text) of what was read, (line, "! why") of what was not."""
    found = read(io.BytesIO(source), shape, name)
    return [(one.line, one.text if isinstance(one, Item) else f"! {one.why}") for one in found]


def test_each_line_is_a_text() -> None:
    assert texts(b"one\ntwo\r\nthree", "lines") == [(1, "one"), (2, "two"), (3, "three")]


def test_blank_lines_are_passed_over_and_counted() -> None:
    assert texts(b"one\n\n  \t\nfour\n", "lines") == [(1, "one"), (4, "four")]


def test_a_byte_order_mark_is_no_text() -> None:
    assert texts(b"\xef\xbb\xbfone\n", "lines") == [(1, "one")]


def test_a_line_that_is_not_utf8_is_named_and_the_others_read() -> None:
    assert texts(b"one\n\xff\xfe\nthree\n", "lines") == [(1, "one"), (2, "! not UTF-8"), (3, "three")]


def test_a_file_can_be_one_text() -> None:
    assert texts(b"one\ntwo\n", "whole") == [(1, "one\ntwo")]


def test_an_empty_file_has_no_text() -> None:
    assert texts(b"", "whole") == []


@pytest.mark.parametrize("record", [b'{"content": "a", "text": "b"}', b'{"text": "a"}'])
def test_json_lines_hold_the_text_in_content_or_text(record: bytes) -> None:
    assert texts(record, "jsonl") == [(1, "a")]


def test_a_field_can_be_named() -> None:
    assert texts(b'{"body": "a", "text": "b"}', "jsonl", "body") == [(1, "a")]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (b'{"text": "a"', "not JSON (column 13)"),
        (b'"a"', "not a JSON object"),
        (b"[1]", "not a JSON object"),
        (b'{"body": "a"}', "no field content or text"),
        (b'{"text": 5}', "field text is not a text"),
        (b'{"text": null}', "field text is not a text"),
        (b'{"text": "  "}', "field text is empty"),
        (b'{"text": "\\ud800"}', "field text is not valid Unicode (a lone surrogate)"),
        (b"[" * 100_000, "nested too deep"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_the_next_one_read(record: bytes, why: str) -> None:
    assert texts(record + b'\n{"text": "good"}\n', "jsonl") == [(1, f"! {why}"), (2, "good")]


def test_a_pair_of_surrogates_is_one_good_character() -> None:
    assert texts(b'{"text": "\\ud83d\\ude00"}', "jsonl") == [(1, "\N{GRINNING FACE}")]


def test_sizes_add_up_to_the_bytes_that_hold_text() -> None:
    source = b'{"text": "a"}\n\xff\n{"text": 1}\n'
    assert sum(one.size for one in read(io.BytesIO(source), "jsonl")) == len(source)


def test_the_text_is_not_in_what_an_item_prints() -> None:
    assert "secret" not in repr(Item(1, "secret", 6))


def test_a_complaint_quotes_nothing() -> None:
    found = list(read(io.BytesIO(b'{"hunter2": "hunter2"\n{"hunter2": "hunter2"}'), "jsonl"))
    assert all(isinstance(one, Unreadable) and "hunter2" not in one.why for one in found)
