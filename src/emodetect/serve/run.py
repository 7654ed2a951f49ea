"""Creation of a server with all its parts, from settings to the running thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

from emodetect.errors import EmodetectError
from emodetect.publish.registry import PublishSettings
from emodetect.serve.app import Service, create_app
from emodetect.serve.engine import Engine
from emodetect.serve.live import LiveFeed
from emodetect.serve.metrics import Metrics
from emodetect.serve.server import Certificate, Server
from emodetect.settings.serve import ServedPipelines, ServerSettings
from emodetect.sources.camera import LiveCapture, LiveSource
from emodetect.sources.capture_format import UNSTATED, CaptureFormat


@dataclass(frozen=True)
class SourceSettings:
    """Settings of the server's own source.

    Attributes:
        source: a camera, clip or stream, or standard input.
        form: size and frame rate to request from a camera, or those of raw frames on standard input.
        loop: whether to restart a clip at its end.
        reconnect: seconds for which a lost camera or stream is retried.
        follow_redirects: whether a stream may redirect to other hosts.
        publishing: publishers of the results.
    """

    source: LiveSource
    form: CaptureFormat = UNSTATED
    loop: bool = False
    reconnect: float = 0.0
    follow_redirects: bool = False
    publishing: PublishSettings = field(default_factory=PublishSettings)


@contextmanager
def serving(
    settings: ServerSettings,
    pipelines: ServedPipelines,
    *,
    source: SourceSettings | None = None,
    certificate: Certificate | None = None,
    format_error: Callable[[EmodetectError], str] = str,
    report: Callable[[str], None] = print,
) -> Iterator[Server]:
    """Run a server for the duration of a block. Its own backend is loaded before it starts.

    Args:
        settings: address, access control and limits.
        pipelines: settings of the pipelines.
        source: the server's own source, or None.
        certificate: certificate for HTTPS; None for HTTP.
        format_error: formats an error as one line, for clients.
        report: called with one line: the error that ended the source or a publisher, and its consequence.

    Raises:
        EmodetectError: the backend cannot be loaded, an address cannot be bound, or a publisher cannot be created.
    """
    metrics = Metrics()
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(pipelines, metrics))
        own = engine.choice()
        engine.loaded(own.backend)
        feed = None
        if source is not None:
            publisher = stack.enter_context(source.publishing.open(lambda: capture.elapsed))
            capture = LiveCapture(
                source.source,
                source.form,
                loop=source.loop,
                reconnect=source.reconnect,
                follow_redirects=source.follow_redirects,
            )
            feed = LiveFeed(
                capture, partial(engine.stream_pipeline, own), publisher, metrics, format_error=format_error, report=report
            )
            stack.callback(feed.join)
        service = Service(settings, engine, metrics, format_error, feed)
        server = Server(create_app(service, settings, metrics, format_error), settings, certificate)
        with server.running(end=feed.close if feed else None):
            yield server
