import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.streams.windows import BACKLOG, LONGEST_RUN, Cutter, Findings, Sizes, Window, moved
from llama_mapper.contracts.mapping import VendorFinding
from tests.fakes.orchestration import mapping

SIZES = Sizes(least=30, most=60, overlap=20)
WORD = st.text(alphabet="abcxyz.!\u0301\U0001f600", min_size=1, max_size=14)
TEXTS = st.lists(st.tuples(WORD, st.sampled_from([" ", "\n", ". ", "  "])), min_size=1, max_size=60).map(
    lambda parts: "".join(itertools.chain.from_iterable(parts))
)


def cut(pieces: list[str], sizes: Sizes = SIZES) -> list[Window]:
    cutter, windows = Cutter(sizes), []
    for piece in pieces:
        cutter.add(piece)
        while window := cutter.take(ended=False):
            windows.append(window)
            cutter.release(window.next_start)
    while window := cutter.take(ended=True):
        windows.append(window)
    return windows


@st.composite
def pieces(draw: st.DrawFn) -> list[str]:
    text = draw(TEXTS)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=30)))
    return [text[a:b] for a, b in itertools.pairwise([0, *places, len(text)])]


@given(pieces())
def test_windows_are_the_text_in_order_overlap_and_leave_nothing_out(chunks: list[str]) -> None:
    text = "".join(chunks)
    windows = cut(chunks)
    assert (windows[0].start, windows[-1].end) == (0, len(text))
    assert all(text[w.start : w.end] == w.text for w in windows)
    assert all(one.next_start == two.start <= one.end <= two.end for one, two in itertools.pairwise(windows))
    assert [w.last for w in windows] == [False] * (len(windows) - 1) + [True]
    assert windows[-1].next_start == len(text)


@given(pieces())
def test_whatever_is_no_longer_than_the_overlap_lies_whole_in_a_window(chunks: list[str]) -> None:
    text, windows = "".join(chunks), cut(chunks)
    for start in range(len(text)):
        end = min(len(text), start + SIZES.overlap)
        assert any(w.start <= start and end <= w.end for w in windows)


@given(pieces())
def test_no_later_window_reaches_in_front_of_what_may_be_shown(chunks: list[str]) -> None:
    windows = cut(chunks)
    assert all(later.start >= one.next_start for i, one in enumerate(windows) for later in windows[i + 1 :])


@pytest.mark.parametrize("length", [25, 700, LONGEST_RUN])
@pytest.mark.parametrize("before", [0, 5, 59, 60, 61])
def test_a_run_without_white_space_lies_whole_in_a_window_wherever_it_is_cut(length: int, before: int) -> None:
    text = "word " * 20 + "x" * before + " " + "k" * length + " and so on."
    start = text.index(" k") + 1
    windows = cut(list(text))
    assert any(w.start <= start and start + length <= w.end for w in windows)


def test_windows_end_with_sentences_where_there_are_any() -> None:
    text = "A sentence of thirty characters. Another one that ends here! And a third? Yes it does, so."
    assert [w.text[-2:] for w in cut(list(text))] == [". ", "? ", "o."]


def test_little_text_waits_and_a_long_sentence_does_not() -> None:
    cutter = Cutter(SIZES)
    cutter.add("Short. " * 4)
    assert cutter.take(ended=False) is None
    cutter.add("and on and on without an end in sight")
    window = cutter.take(ended=False)
    assert window is not None
    assert window.text.endswith(" ")
    assert len(window.text) <= SIZES.most


def test_a_backlog_is_judged_in_long_windows() -> None:
    windows = cut(["All of it at once. " * 1000])
    assert max(len(w.text) for w in windows) > BACKLOG // 2
    assert len(windows) == 6


def test_what_is_released_is_what_came() -> None:
    cutter = Cutter(SIZES)
    cutter.add("One sentence that is long enough. Two. ")
    window = cutter.take(ended=False)
    assert window is not None
    assert (
        cutter.release(5) + cutter.release(window.next_start)
        == "One sentence that is long enough. Two. "[: window.next_start]
    )


def finding(label: str, start: int, end: int, score: float = 0.9) -> VendorFinding:
    said = {"detector": "d", "detector_version": "1", "label": label, "score": score}
    return VendorFinding.model_validate(said | ({"span": {"start": start, "end": end}} if end else {}))


def together(*windows: tuple[Window, list[VendorFinding]]) -> list[tuple[str, int, int, float | None]]:
    all_found = Findings()
    for window, said in windows:
        all_found.add(moved([(f, mapping(f, "PII")) for f in said], window), window)
    return [
        (f.label, f.span.start, f.span.end, f.score) if f.span else (f.label, 0, 0, f.score)
        for f, _ in all_found.pairs()
    ]


FIRST = Window(0, "call 0171 555 0142 or 4111 1111", 10, last=False)
SECOND = Window(10, "555 0142 or 4111 1111 1111 1111 now", 45, last=True)


def test_what_an_edge_cut_gives_way_to_what_a_neighbour_saw_whole() -> None:
    seen = together((FIRST, [finding("CARD", 22, 31)]), (SECOND, [finding("CARD", 12, 31)]))
    assert seen == [("CARD", 22, 41, 0.9)]


def test_what_an_edge_cut_stays_where_nobody_saw_more() -> None:
    assert together((FIRST, [finding("CARD", 22, 31)]), (SECOND, [])) == [("CARD", 22, 31, 0.9)]


def test_another_label_at_the_same_place_stays() -> None:
    seen = together((FIRST, [finding("PHONE", 22, 31)]), (SECOND, [finding("CARD", 12, 31)]))
    assert [label for label, *_ in seen] == ["PHONE", "CARD"]


def test_what_two_windows_saw_is_one_finding_with_the_higher_score() -> None:
    seen = together((FIRST, [finding("PHONE", 10, 18, 0.0)]), (SECOND, [finding("PHONE", 0, 8, 0.4)]))
    assert seen == [("PHONE", 10, 18, 0.4)]


def test_what_is_said_of_all_of_a_window_gets_its_span_unless_there_is_only_one() -> None:
    assert together((FIRST, [finding("RUDE", 0, 0)])) == [("RUDE", 0, 0, 0.9)]
    assert together((FIRST, [finding("RUDE", 0, 0, 0.2)]), (SECOND, [finding("RUDE", 0, 0)])) == [("RUDE", 10, 45, 0.9)]


@pytest.mark.parametrize(
    ("place", "least", "answer"), [(30, 0, 5), (30, 8, 8), (31, 0, 31), (4, 0, 4), (12, 0, 5), (45, 0, 45)]
)
def test_a_release_cuts_no_finding(place: int, least: int, answer: int) -> None:
    all_found = Findings()
    said = [finding("PHONE", 5, 18), finding("CARD", 15, 31)]
    all_found.add([(f, mapping(f, "PII")) for f in said], FIRST)
    assert all_found.straddling(place, least) == answer
