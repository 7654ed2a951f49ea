"""Metrics of the server, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST

_ENDPOINTS = (
    "/", "/overlay", "/docs", "/v1/analyze", "/v1/analyze-video", "/v1/stream", "/v1/events", "/v1/live.mjpg", "/v1/health",
    "/v1/version", "/v1/options", "/metrics",
)  # fmt: skip

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """Metrics in a separate registry, so that several servers in one process are counted separately."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "emodetect_requests", "Requests by endpoint and HTTP status.", ["endpoint", "status"], registry=self._registry
        )
        self.frames_read = Counter("emodetect_frames_read", "Frames and photos whose faces were read.", registry=self._registry)
        self.frames_skipped = Counter(
            "emodetect_frames_skipped", "Frames that newer ones replaced before they were read.", registry=self._registry
        )
        self.frames_failed = Counter("emodetect_frames_failed", "Frames and photos that cannot be read.", registry=self._registry)
        self.inference_seconds = Histogram(
            "emodetect_inference_seconds",
            "Time to decode a picture, find its faces and read their emotions.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._clients = Gauge("emodetect_clients", "Connected clients by kind.", ["kind"], registry=self._registry)
        for kind in ("stream", "events", "pictures"):
            self._clients.labels(kind)

    def count_request(self, path: str, status: int) -> None:
        """Count a request; paths that are no endpoints are counted together, so that clients cannot create time series.

        Args:
            path: path of the request.
            status: status of the response.
        """
        endpoint = "/v1/jobs" if path.startswith("/v1/jobs/") else path if path in _ENDPOINTS else "other"
        self._requests.labels(endpoint, str(status)).inc()

    @contextmanager
    def client(self, kind: str) -> Iterator[None]:
        """Count a client for as long as it is connected.

        Args:
            kind: "stream", "events" or "pictures".
        """
        gauge = self._clients.labels(kind)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def text(self) -> bytes:
        """Format all metrics for Prometheus."""
        return generate_latest(self._registry)
