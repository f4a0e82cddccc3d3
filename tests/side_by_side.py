"""All tests in two processes side by side: `python -m tests.side_by_side [cluster] [PYTEST OPTION...]`.

With `cluster` these are the tests on clusters, without it all others. The output of the first process is shown as it
comes, that of the second behind it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import IO

from ssl_asr.corpus.open_speech.speech import open_speech
from tests.conftest import CACHE

# By marks. No run is made twice: both processes make the tiny run's corpus, and only the first what follows.
OTHERS = {
    "tests with the session's Ray": "not cluster and shared_ray",
    "other tests": "not cluster and not shared_ray",
}
# Here both make the tiny run up to its targets: a minute each. The two shares take about equally long.
CLUSTERS = {
    "training on clusters": "cluster and training",
    "other tests on clusters": "cluster and not training",
}


def main(options: list[str]) -> int:
    """The exit status: 0 where both processes ended with 0."""
    shares = OTHERS
    if options[:1] == ["cluster"]:
        shares, options = CLUSTERS, options[1:]
    first, second = shares
    with tempfile.TemporaryFile("w+") as kept:
        running = {first: start(shares[first], options, None), second: start(shares[second], options, kept)}
        codes = {name: process.wait() for name, process in running.items()}
        kept.seek(0)
        print(f"\n{second}:\n{kept.read()}")
    for name, code in codes.items():
        print(f"{name}: {'passed' if code == 0 else f'failed, exit status {code}'}")
    return max(map(abs, codes.values()))


def start(marks: str, options: list[str], output: IO[str] | None) -> subprocess.Popen[str]:
    # Both would write the cache of failed tests, and the last would win.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", marks, *options]
    return subprocess.Popen(command, stdout=output, stderr=output, text=True)


if __name__ == "__main__":
    open_speech(CACHE)  # from an empty cache both processes would fetch the same packages, and apt refuses the second
    sys.exit(main(sys.argv[1:]))
