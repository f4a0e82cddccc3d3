"""Whether speech has the frequencies that the front end is to look at: audio at 8 kHz has none above 4 kHz."""

from __future__ import annotations

from collections.abc import Mapping

from ssl_asr.recipe import Frontend

Rates = Mapping[str, float]  # seconds of speech by the sampling rate of its files, in Hz


def narrow_band(rates: Rates, split: str, frontend: Frontend) -> str | None:
    """What to say of a split of which some speech has no band up to `frontend.high_hz`; None if all has it.

    ValueError where none of the labeled speech has it: what a network learns of that band then is an accident.
    """
    lacking = {int(rate): seconds for rate, seconds in rates.items() if int(rate) / 2 < frontend.high_hz}
    if not lacking:
        return None
    some, all_hours = sum(lacking.values()) / 3600, sum(rates.values()) / 3600
    share = f"{_hours(some)} of {_hours(all_hours)}" if len(lacking) < len(rates) else f"all {_hours(all_hours)}"
    at = ", ".join(f"{_hours(seconds / 3600)} at {rate:,} Hz" for rate, seconds in sorted(lacking.items()))
    said = (
        f"corpus.{split}: {share} hours have nothing above {max(lacking) / 2:,.0f} Hz ({at}), while frontend.high_hz "
        f"is {frontend.high_hz:,.0f}; {_fix(min(lacking), frontend)}"
    )
    if split == "labeled" and len(lacking) == len(rates):
        raise ValueError(said)
    return said


def _fix(rate: int, frontend: Frontend) -> str:
    """What brings all audio to the band of this sampling rate; a rate that is a multiple of 1 kHz saves work too."""
    high = int(0.975 * rate / 2) // 100 * 100
    rates = f"frontend.sample_rate={rate} and " if rate % 1000 == 0 and rate < frontend.sample_rate else ""
    return f"set {rates}frontend.high_hz={high}, so that all speech has the same band, or leave this speech out"


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2g}"
