"""Whether speech has the frequencies that the front end is to look at: audio at 8 kHz has none above 4 kHz."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ssl_asr.recipe import Frontend

Rates = Mapping[str, float]  # seconds of speech by the sampling rate of its files, in Hz
NONE: Rates = MappingProxyType({})


def narrow_band(rates: Rates, split: str, frontend: Frontend, estimated: Rates = NONE) -> str | None:
    """What to say of a split of which some speech has no band up to `frontend.high_hz`; None if all has it.

    `estimated` are seconds of speech that was not opened, besides `rates`; with them hours are said to be estimates.
    ValueError where none of the labeled speech has it: what a network learns of that band then is an accident.
    """
    found = {rate: rates.get(rate, 0.0) + estimated.get(rate, 0.0) for rate in (*rates, *estimated)}
    lacking = {int(rate): seconds for rate, seconds in found.items() if int(rate) / 2 < frontend.high_hz}
    if not lacking:
        return None
    some, all_hours = sum(lacking.values()) / 3600, sum(found.values()) / 3600
    share = f"{_hours(some)} of {_hours(all_hours)}" if len(lacking) < len(found) else f"all {_hours(all_hours)}"
    at = ", ".join(f"{_hours(seconds / 3600)} at {rate:,} Hz" for rate, seconds in sorted(lacking.items()))
    about, how = ("about ", "; estimated from a few recordings of each piece of the list") if estimated else ("", "")
    said = (
        f"corpus.{split}: {about}{share} hours have nothing above {max(lacking) / 2:,.0f} Hz ({at}{how}), while "
        f"frontend.high_hz is {frontend.high_hz:,.0f}; {_fix(min(lacking), frontend)}"
    )
    if split == "labeled" and len(lacking) == len(found):
        raise ValueError(said)
    return said


def _fix(rate: int, frontend: Frontend) -> str:
    """What brings all audio to the band of this sampling rate; a rate that is a multiple of 1 kHz saves work too."""
    high = int(0.975 * rate / 2) // 100 * 100
    rates = f"frontend.sample_rate={rate} and " if rate % 1000 == 0 and rate < frontend.sample_rate else ""
    return f"set {rates}frontend.high_hz={high}, so that all speech has the same band, or leave this speech out"


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2g}"
