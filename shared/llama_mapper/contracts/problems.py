"""Everything that can go wrong, as one tree (RFC 9457 problem details).

    Problem
    ├── InvalidRequest 400      ├── RequestTimeout 408
    ├── PolicyNotFound 400      ├── ContentTooLarge 413
    ├── Unauthorized 401        ├── Unprocessable 422
    ├── InsufficientRbac 403    ├── RateLimited, DetectorOverloaded 429
    ├── NotFound 404            ├── AllDetectorsUnavailable, DetectorCommunicationFailed 502
    ├── MethodNotAllowed 405    ├── Unavailable 503
    ├── Conflict 409            └── InternalError 500
    ├── Gone 410
    ├── PreconditionFailed 412
    ├── PreconditionRequired 428
    ├── UnsupportedMediaType 415
    └── HeadersTooLarge 431

``detail`` and ``errors`` name our own fields, never a caller's value or unknown key: a broker copies error bodies
into dead letters. For an event consumer 422 means "can never work" and 503 "deliver again".
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from .wire import Wire

ErrorCode = Literal[
    "INVALID_REQUEST",
    "POLICY_NOT_FOUND",
    "UNAUTHORIZED",
    "INSUFFICIENT_RBAC",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "REQUEST_TIMEOUT",
    "CONFLICT",
    "GONE",
    "PRECONDITION_FAILED",
    "CONTENT_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "UNPROCESSABLE",
    "PRECONDITION_REQUIRED",
    "HEADERS_TOO_LARGE",
    "RATE_LIMITED",
    "DETECTOR_OVERLOADED",
    "ALL_DETECTORS_UNAVAILABLE",
    "DETECTOR_COMMUNICATION_FAILED",
    "UNAVAILABLE",
    "INTERNAL_ERROR",
]


MAX_DOCUMENT_BYTES = 768
MAX_ERRORS = 24  # more never fit: the shortest takes 26 bytes


class FieldError(Wire):
    """One fault: the path of our field and what is wrong with it."""

    field: str = Field(max_length=120)
    message: str = Field(max_length=160)


class ProblemDocument(Wire):
    """The body of every error answer, ``application/problem+json``."""

    type: str = Field(max_length=80, examples=["/problems/invalid-request"])
    title: str = Field(max_length=80)
    status: int = Field(ge=400, le=599)
    detail: str = Field(max_length=240)
    error_code: ErrorCode
    retryable: bool
    correlation_id: str = Field(max_length=64)
    errors: tuple[FieldError, ...] = ()


class Problem(Exception):
    """Base of all problems; *detail* is shown to the caller and must hold no value of theirs."""

    status: ClassVar[int] = 500
    error_code: ClassVar[ErrorCode] = "INTERNAL_ERROR"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or {}

    @classmethod
    def slug(cls) -> str:
        return cls.error_code.lower().replace("_", "-")

    def document(self, correlation_id: str) -> ProblemDocument:
        """Render for the wire, with as many field errors as keep the body under 768 bytes (dead letters copy it)."""
        document = ProblemDocument(
            type=f"/problems/{self.slug()}",
            title=self.title,
            status=self.status,
            detail=self.detail[:240],
            error_code=self.error_code,
            retryable=self.retryable,
            correlation_id=correlation_id,
            errors=self.errors[:MAX_ERRORS],
        )
        while document.errors and _size(document) >= MAX_DOCUMENT_BYTES:
            document = document.model_copy(update={"errors": document.errors[:-1]})
        while document.detail and _size(document) >= MAX_DOCUMENT_BYTES:
            document = document.model_copy(update={"detail": document.detail[: len(document.detail) * 3 // 4]})
        return document


def _size(document: ProblemDocument) -> int:
    return len(document.model_dump_json().encode())


class InternalError(Problem):
    pass


class InvalidRequest(Problem):
    status, error_code, title = 400, "INVALID_REQUEST", "The request is not valid"


class PolicyNotFound(Problem):
    status, error_code, title = 400, "POLICY_NOT_FOUND", "No such policy"


class Unauthorized(Problem):
    status, error_code, title = 401, "UNAUTHORIZED", "Who are you?"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})  # RFC 9110 section 15.5.2 asks for one


class InsufficientRbac(Problem):
    status, error_code, title = 403, "INSUFFICIENT_RBAC", "Not allowed"


class NotFound(Problem):
    status, error_code, title = 404, "NOT_FOUND", "Nothing is here"


class MethodNotAllowed(Problem):
    status, error_code, title = 405, "METHOD_NOT_ALLOWED", "Not with this method"


class RequestTimeout(Problem):
    status, error_code, title, retryable = 408, "REQUEST_TIMEOUT", "The deadline passed", True


class Conflict(Problem):
    status, error_code, title, retryable = 409, "CONFLICT", "Not while another is under way", True


class Gone(Problem):
    status, error_code, title = 410, "GONE", "No longer here"


class PreconditionFailed(Problem):
    status, error_code, title = 412, "PRECONDITION_FAILED", "Somebody else was first"


class PreconditionRequired(Problem):
    status, error_code, title = 428, "PRECONDITION_REQUIRED", "Say which version you change"


class ContentTooLarge(Problem):
    status, error_code, title = 413, "CONTENT_TOO_LARGE", "The request is too large"


class UnsupportedMediaType(Problem):
    status, error_code, title = 415, "UNSUPPORTED_MEDIA_TYPE", "Not in this form"


class HeadersTooLarge(Problem):
    status, error_code, title = 431, "HEADERS_TOO_LARGE", "The headers are too large"


class Unprocessable(Problem):
    status, error_code, title = 422, "UNPROCESSABLE", "The request can never work"


class RateLimited(Problem):
    status, error_code, title, retryable = 429, "RATE_LIMITED", "Too many requests", True


class DetectorOverloaded(Problem):
    status, error_code, title, retryable = 429, "DETECTOR_OVERLOADED", "A detector is overloaded", True


class AllDetectorsUnavailable(Problem):
    status, error_code, title, retryable = 502, "ALL_DETECTORS_UNAVAILABLE", "No detector answered", True


class DetectorCommunicationFailed(Problem):
    status, error_code, title, retryable = 502, "DETECTOR_COMMUNICATION_FAILED", "A detector failed", True


class Unavailable(Problem):
    status, error_code, title, retryable = 503, "UNAVAILABLE", "Not available right now", True
