"""The one error of the local run that a person can mend; its text is shown as it is."""


class CannotRun(Exception):
    """The run cannot start, go on or be found; says what to do about it."""
