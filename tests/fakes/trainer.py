"""Stands in for ``python -m mapper_training.train``: says events, and stops when asked. Takes the same arguments.

What it does is its experiment's name: ``ends``, ``waits`` (until it is asked to stop), ``deaf`` (does not listen),
``stops`` (as if asked), ``refuses``, ``breaks``, ``dies``, ``early`` and ``stillborn`` (before it has begun).
"""

import os
import signal
import sys
from types import FrameType

from mapper_training.progress import Ended, Event, Kept, Refused, Started, Stepped, Stopped, json_lines

SAYS = json_lines(sys.stdout)
STARTED = Started(examples=80, tokens=900, trained_parameters=7, step=0, of_steps=10)
STEPPED = Stepped(step=4, of_steps=10, share=0.4, loss=1.25, examples_per_second=2.5, seconds_left=95)
ENDED = Ended(step=10, of_steps=10, seconds=30, peak_memory_bytes=2 * 10**9, adapter="somewhere/adapter")


def stop(number: int, frame: FrameType | None) -> None:
    say(Kept(step=4), Stopped(step=4, of_steps=10))
    sys.exit(3)


def say(*events: Event) -> None:
    for event in events:
        SAYS(event)


def main(does: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN if does == "deaf" else stop)
    sys.stdout.write("a library says something\n")
    if does == "refuses":
        say(Refused(reason="there is nothing to learn"))
        sys.exit(1)
    if does == "early":
        sys.exit("no such library")
    if does == "stillborn":
        os.kill(os.getpid(), signal.SIGKILL)
    say(STARTED, STEPPED)
    if does == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if does == "stops":
        stop(signal.SIGTERM, None)
    if does == "breaks":
        raise RuntimeError("out of memory")
    while does in ("waits", "deaf"):
        signal.pause()
    say(ENDED)


if __name__ == "__main__":
    # `python -m mapper_training.train EXPERIMENT …`, with this file in the place of python
    main(sys.argv[3] if sys.argv[1:2] == ["-m"] else sys.argv[1])
