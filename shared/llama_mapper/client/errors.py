"""What a call can end with. None of them holds what was sent: an exception's text ends in logs."""

from llama_mapper.contracts.problems import ErrorCode, FieldError


class LlamaMapperError(Exception):
    """Base of everything that a call raises; ``correlation_id`` finds the call in the service's log."""

    def __init__(self, message: str, correlation_id: str = "") -> None:
        super().__init__(message)
        self.correlation_id = correlation_id


class NoAnswer(LlamaMapperError):
    """Nothing came back within the deadline; ``unsent`` where nobody can have read the request."""

    def __init__(
        self, message: str, correlation_id: str = "", *, unsent: bool = False, timed_out: bool = False
    ) -> None:
        super().__init__(message, correlation_id)
        self.unsent = unsent
        self.timed_out = timed_out


class UnknownAnswer(LlamaMapperError):
    """Something came back in a shape that this client does not know."""


class ProblemError(LlamaMapperError):
    """The service, or a gateway in front of it, said no.

    ``error_code`` and ``detail`` are None and empty where the answer was no problem document; ``retry_after`` is in
    seconds. ``retryable`` says that the same call may work later; the client has tried then.
    """

    def __init__(
        self,
        message: str,
        correlation_id: str = "",
        *,
        status: int,
        error_code: ErrorCode | None = None,
        detail: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
        errors: tuple[FieldError, ...] = (),
    ) -> None:
        super().__init__(message, correlation_id)
        self.status = status
        self.error_code = error_code
        self.detail = detail
        self.retryable = retryable
        self.retry_after = retry_after
        self.errors = errors
