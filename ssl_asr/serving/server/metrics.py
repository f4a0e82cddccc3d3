"""Figures of the server for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Of one server; names begin with ssl_asr_."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        kinds: Any = {"registry": self.registry, "namespace": "ssl_asr"}
        self.sessions = Gauge("sessions", "Sessions under way", ["protocol"], **kinds)
        self.begun = Counter("sessions_begun", "Sessions begun", ["protocol"], **kinds)
        self.refusals = Counter("refusals", "Sessions and requests refused or ended, by reason", ["reason"], **kinds)
        self.gone = Counter("clients_gone", "Clients that went, or took nothing, before their session ended", **kinds)
        self.audio_seconds = Counter("audio_seconds", "Seconds of audio taken in by sessions", **kinds)
        self.busy_seconds = Counter("busy_seconds", "Seconds that workers have computed", **kinds)
        self.finals = Counter("finals", "Final results", **kinds)
        self.reply_seconds = Histogram("reply_seconds", "From a message to its result", buckets=_SECONDS, **kinds)
        self.uploads = Gauge("uploads", "Files received, waiting or recognised", **kinds)
        self.upload_seconds = Counter("upload_audio_seconds", "Seconds of audio of recognised files", **kinds)
        self.workers = Gauge("workers", "Worker processes alive", ["kind"], **kinds)
        self.restarts = Gauge("worker_restarts", "Workers of sessions that were started again", **kinds)

    def page(self) -> bytes:
        return generate_latest(self.registry)
