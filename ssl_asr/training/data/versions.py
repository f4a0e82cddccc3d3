"""Which version of a recording a pass hears, where it hears one: the clean one or a degraded copy of it.

So a pass is as long as one over clean speech alone, every pass has clean and degraded speech in it, and over the
passes a recording is heard in all its versions. A draw depends on the seed, the source, the pass and the recording,
and so on no worker, block or resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssl_asr.training.data.sources import seed_of


@dataclass(frozen=True)
class OneVersion:
    """Draws one version of each recording, all with the same probability."""

    seed: int

    def places(self, recordings: Sequence[str], source: str, sweep: int) -> list[int]:
        """Places of the rows that pass `sweep` over `source` hears, ascending: one of each of `recordings` [rows]."""
        versions: dict[str, list[int]] = {}
        for place, recording in enumerate(recordings):
            versions.setdefault(recording, []).append(place)
        return sorted(self._drawn(found, recording, source, sweep) for recording, found in versions.items())

    def _drawn(self, places: list[int], recording: str, source: str, sweep: int) -> int:
        return places[seed_of(self.seed, "version", source, sweep, recording) % len(places)]
