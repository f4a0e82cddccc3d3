"""Synthetic speech of many voices in noise, for the preset `voices`: `python -m jobs.voices data/voices`.

About 3 h 10 min of it, which one core makes in some minutes. The same command lets the same talkers
say the same sentences; the synthesiser's sound is not quite the same twice.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from ssl_asr.corpus.open_speech.voices import PARTS, write_voices


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one, or an empty one")
    parser.add_argument("--snr", type=float, nargs=2, default=(-2.0, 10.0), metavar="DB", help="default: -2 10")
    parser.add_argument("--share", type=float, default=1.0, help="of the minutes of each split; default: 1")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        if options.folder.exists() and any(options.folder.iterdir()):
            raise ValueError(f"{options.folder} is not empty; name a new folder")
        if options.share <= 0 or options.snr[0] > options.snr[1]:
            raise ValueError("--share is above 0, and of --snr the second is not below the first")
        parts = {name: replace(part, minutes=options.share * part.minutes) for name, part in PARTS.items()}
        write_voices(options.folder, parts, (options.snr[0], options.snr[1]), options.seed)
    except (ValueError, OSError) as error:
        print(f"voices: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
