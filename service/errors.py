"""What can go wrong, drawn by what the catcher should do.

    VigilError
    ├── StartupError          refuse to start: a setting, a checkpoint, a server binary is wrong
    ├── StreamError(code)     this stream: `permanent` ones stop it (failed), the others retry (reconnecting)
    ├── FencedError           this worker no longer owns the stream: stop writing, let go
    └── StateError            stored state cannot be used (foreign model, torn): start the stream empty, say so

A user's bad input is a plain ValueError whose text says what came and what was expected; the API turns it into problem+json.
"""

from service.types import StreamCode

PERMANENT_CODES: frozenset[StreamCode] = frozenset(
    {"auth_failed", "not_found", "tls", "codec_unsupported", "too_large", "forbidden_address"}
)


class VigilError(Exception):
    """Root of the tree."""


class StartupError(VigilError):
    """Refuse to start; the text tells the operator what to change."""


class StreamError(VigilError):
    """One stream's source fails. `code` is the public code of design: it appears in API, log and metric alike.

    `permanent` defaults to the code's own nature; a source that has been live before passes False for not_found (an origin may come back).
    """

    def __init__(self, code: StreamCode, message: str, *, permanent: bool | None = None) -> None:
        super().__init__(message)
        self.code: StreamCode = code
        self.permanent = code in PERMANENT_CODES if permanent is None else permanent


class FencedError(VigilError):
    """A newer epoch owns the stream."""


class StateError(VigilError):
    """Stored state that must not be loaded."""
