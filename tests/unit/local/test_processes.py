import os
from pathlib import Path

import pytest

from llama_mapper.local import processes


def test_a_log_is_its_owners_alone(tmp_path: Path) -> None:
    with processes.open_log(tmp_path / "logs" / "detect.jsonl") as log:
        log.write(b"one\n")
    assert (tmp_path / "logs" / "detect.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for line in (b"one\n", b"two\n"):
        with processes.open_log(tmp_path / "log") as log:
            log.write(line)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_log_that_grew_too_large_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch()
    os.truncate(path, processes.MAX_LOG_BYTES + 1)
    with processes.open_log(path):
        assert path.stat().st_size == 0
    assert (tmp_path / "log.1").stat().st_size == processes.MAX_LOG_BYTES + 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-9, "was ended by SIGKILL"),
        (-99, "was ended by signal 99"),
    ],
)
def test_an_end_is_put_in_words(code: int, words: str) -> None:
    assert processes.how_it_ended(code) == words


def test_memory_of_this_process_is_known() -> None:
    assert (processes.resident_bytes(os.getpid()) or 0) > 1_000_000


def test_memory_of_no_process_is_unknown() -> None:
    assert processes.resident_bytes(2**22 + 1) is None  # above the largest pid of Linux
