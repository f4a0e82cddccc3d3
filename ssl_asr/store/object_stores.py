"""Object stores, and Hadoop's file system, as pyarrow opens them.

S3 takes keys, endpoint and region from the environment variables of every AWS tool: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL, AWS_DEFAULT_REGION. Ray's workers need them too. A file of
up to 10 MB is one PUT. A larger file is a multipart upload, which appears whole when it is complete. The parts that a
killed writer leaves are invisible but cost money, so give the bucket a rule that aborts incomplete multipart uploads.
"""

from __future__ import annotations

import pyarrow.fs as pafs

# What pyarrow reads, with options. Without that of S3, every file begins with an extra request, and none is a single
# PUT. Google's client would try for a quarter of an hour, and is not to outlast `retry.py`.
_GOOGLE = "?retry_limit_seconds=10"
_REMOTE = {"s3": "?allow_delayed_open=true", "gs": _GOOGLE, "gcs": _GOOGLE}
_REMOTE |= dict.fromkeys(("abfs", "abfss", "hdfs", "viewfs"), "")


def open_store(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system of `uri` and the path on it; ValueError naming the schemes that can be used, for any other URI.

    What follows a bucket is a key as it is.
    """
    scheme, _, rest = uri.partition("://")
    place, _, path = rest.partition("/")
    if scheme.lower() not in _REMOTE or not place:
        raise unusable(uri, f"{scheme}:// is not known" if place else "it names no bucket")
    filesystem, root = _opened(uri, f"{scheme.lower()}://{place}{_REMOTE[scheme.lower()]}")
    return filesystem, f"{root.rstrip('/')}/{path.rstrip('/')}" if path else root


def unusable(uri: str, why: str) -> ValueError:
    """The error of a URI that names nothing that can be opened."""
    return ValueError(f"{uri} can't be read or written ({why}); name a local path, or file:///, s3:// or gs://")


def _opened(uri: str, root: str) -> tuple[pafs.FileSystem, str]:
    try:
        return pafs.FileSystem.from_uri(root)
    except (ValueError, NotImplementedError) as error:
        raise unusable(uri, str(error)) from error
    except OSError as error:
        if "libjvm" in str(error) or "libhdfs" in str(error):
            raise unusable(uri, "Hadoop's libhdfs is not installed") from error
        raise
