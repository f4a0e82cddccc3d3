"""Quantities as text for the user."""

from __future__ import annotations

from ssl_asr.progress import clock

DAY = 86_400


def number(value: float) -> str:
    """Four digits, or the whole number: "0.1337", "4.608", "7,010", "1,007,000"."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def size_text(size: float) -> str:
    """Bytes, decimal: "464 MB", "21.5 TB"."""
    unit, scale = next((pair for pair in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)) if size >= pair[1]), ("kB", 1e3))
    scaled = size / scale
    return f"{scaled:,.0f} {unit}" if scaled >= 1000 else f"{scaled:.3g} {unit}"


def time_text(seconds: float) -> str:
    """In days from two days on, otherwise as `clock`: "45 s", "7 h 53 min", "4.8 days"."""
    return f"{seconds / DAY:.1f} days" if seconds >= 2 * DAY else clock(seconds)


def microseconds(seconds: float) -> str:
    return f"{number(seconds * 1e6)} us"
