"""The stages whose last lines were printed."""

from __future__ import annotations

import re

from ssl_asr.runtime.pipeline import NAMES


def stages(said: str) -> list[str]:
    return re.findall(rf"^({'|'.join(NAMES)}): [^,]*, \d+ ", said, re.MULTILINE)
