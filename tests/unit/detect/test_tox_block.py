import io
import os
import pickle
from collections import OrderedDict, defaultdict

import pytest

from functions.detect.detectors import tox_block


class Order:
    """Pickles into a call of a function of the attacker's choice."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self._call


def reader(value: object) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(pickle.dumps(value)))


@pytest.mark.parametrize("value", [Order(os.system, "true"), Order(eval, "1"), {"word": Order(open, "/etc/passwd")}])
def test_a_pickle_that_wants_more_than_containers_is_refused(value: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="no use for"):
        tox_block.read_pickled_vocabulary(reader(value))


def test_containers_alone_are_read() -> None:
    counts = OrderedDict(the=3), defaultdict(int, the=2)
    assert tox_block._VocabularyUnpickler(reader(counts)).load() == counts
