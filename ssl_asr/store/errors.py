"""Errors of object stores and disks: whether a place or a file's content is at fault, and what fixes it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ssl_asr.store.retry import is_outage

# Errors of this machine or its disk: they are temporary, or its owner must fix them.
_TROUBLE = {
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.ESTALE,
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.ENOMEM,
}
# Permanent errors of S3, and their fixes. Other errors are temporary.
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, on all machines, to keys that may read and write there"
_FIXES = {
    "NO_SUCH_BUCKET": "create the bucket or name another one",
    "ACCESS_DENIED": _KEYS,
    "INVALID_ACCESS_KEY_ID": _KEYS,
    "SIGNATURE_DOES_NOT_MATCH": _KEYS,
    "INVALID_CLIENT_TOKEN_ID": _KEYS,
    "MISSING_AUTHENTICATION_TOKEN": _KEYS,
    "EXPIRED_TOKEN": "renew AWS_SESSION_TOKEN and its keys",
}


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Inside the block, a permanent error of the object store is a ValueError with its fix; others stay OSError."""
    try:
        yield
    except OSError as error:
        fix = next((fix for code, fix in _FIXES.items() if f"AWS Error {code} " in str(error)), None)
        if fix is None:
            raise
        raise ValueError(f"{uri} cannot be reached ({_reason(error)}); {fix}") from error


def is_unreachable(error: Exception) -> bool:
    """Whether the object store or the disk is at fault, not the content of a file."""
    return is_outage(error) or getattr(error, "errno", None) in _TROUBLE


def _reason(error: OSError) -> str:
    """The object store's message, without the request id."""
    return str(error).partition("AWS Error ")[2].partition(" (Request ID")[0].rstrip(".")
