"""All tests but those of clusters, in two processes side by side: `python -m tests.side_by_side [PYTEST OPTION...]`.

One process has the tests that use the session's Ray, the other all the rest, so that no run is made twice: of the
tiny run, both make the corpus, and only the first makes what follows. The output of the first is shown as it comes,
that of the second behind it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import IO

from ssl_asr.corpus.open_speech.speech import open_speech
from tests.conftest import CACHE

SHARES = {
    "tests with the session's Ray": "not cluster and shared_ray",
    "other tests": "not cluster and not shared_ray",
}


def main(options: list[str]) -> int:
    """The exit status: 0 where both processes ended with 0."""
    first, second = SHARES
    with tempfile.TemporaryFile("w+") as kept:
        running = {first: start(first, options, None), second: start(second, options, kept)}
        codes = {name: process.wait() for name, process in running.items()}
        kept.seek(0)
        print(f"\n{second}:\n{kept.read()}")
    for name, code in codes.items():
        print(f"{name}: {'passed' if code == 0 else f'failed, exit status {code}'}")
    return max(map(abs, codes.values()))


def start(name: str, options: list[str], output: IO[str] | None) -> subprocess.Popen[str]:
    # Both would write the cache of failed tests, and the last would win.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", SHARES[name], *options]
    return subprocess.Popen(command, stdout=output, stderr=output, text=True)


if __name__ == "__main__":
    open_speech(CACHE)  # from an empty cache both processes would fetch the same packages, and apt refuses the second
    sys.exit(main(sys.argv[1:]))
