"""``emodetect serve``."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from emodetect.backends.limits import parse_bytes
from emodetect.cli.factories import describe_backend, refuse_options
from emodetect.cli.hints import error_message
from emodetect.cli.live_options import capture_options, publish_options
from emodetect.cli.messages import note, print_message
from emodetect.cli.options import common_options, max_pixels_option, pipeline_options
from emodetect.cli.shell_completion import complete_source
from emodetect.cli.types import PATH, NumberRange, Size
from emodetect.errors import BackendUnavailableError, EmodetectError, UsageError
from emodetect.settings.pipeline import CLIPS, LIVE, PHOTOS, PipelineSettings
from emodetect.settings.serve import MIN_TOKEN_LENGTH, ServedPipelines, ServerSettings
from emodetect.system.install_hints import extra_cure
from emodetect.text.printable import one_line

if TYPE_CHECKING:
    from emodetect.publish.registry import PublishSettings
    from emodetect.serve.server import Certificate
    from emodetect.sources.capture_format import CaptureFormat

_PACKAGES = ("fastapi", "prometheus_client", "python_multipart", "uvicorn", "websockets")
"""Packages of the extra."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", default=ServerSettings.host, show_default=True, metavar="ADDRESS",
              help="Address to listen on; 0.0.0.0 for all, which requires --token or --allow-anyone.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=ServerSettings.port, show_default=True, metavar="NUMBER",
              help="Port to listen on; 0 for a free port.")  # fmt: skip
@click.option("--token", metavar="TEXT", help=f"Token that clients must send, at least {MIN_TOKEN_LENGTH} characters. Better set "
              "the variable EMODETECT_SERVE_TOKEN: other users of this machine can see command lines.")  # fmt: skip
@click.option("--allow-anyone", is_flag=True, help="Accept clients without a token.")
@click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN",
              help="Accept requests from pages of this origin, such as https://example.org. May be repeated.")  # fmt: skip
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME",
              help="Accept requests to this host name, besides IP addresses and localhost. May be repeated.")  # fmt: skip
@click.option("--certificate", type=PATH, metavar="FILE", help="Certificate in PEM format, for HTTPS; requires --key.")
@click.option("--key", type=PATH, metavar="FILE", help="Private key of the certificate, in PEM format.")
@click.option("--source", shell_complete=complete_source,
              help="The server's own source, for all clients: number or name of a camera, device, clip, "
                   "URL of a stream, or - for standard input.")  # fmt: skip
@click.option("--loop", is_flag=True, help="Restart a clip at its end.")
@click.option("--reconnect", type=NumberRange(0), default=0, show_default=True, metavar="SECONDS",
              help="How long to try to reconnect to a lost camera or stream.")  # fmt: skip
@click.option("--follow-redirects", is_flag=True, help="Follow redirects and playlists (HLS) of a stream to other hosts.")
@capture_options
@publish_options
@click.option("--max-clients", type=click.IntRange(1, 1000), default=ServerSettings.clients, show_default=True,
              metavar="NUMBER", help="Maximum number of concurrent streams and viewers.")  # fmt: skip
@click.option("--max-requests", type=click.IntRange(1, 1000), default=ServerSettings.requests, show_default=True,
              metavar="NUMBER", help="Maximum number of concurrent requests with photos.")  # fmt: skip
@click.option("--max-upload", type=Size(parse_bytes), default=ServerSettings.upload,
              show_default="200MB", metavar="SIZE", help="Maximum size of a request, such as 200MB.")  # fmt: skip
@pipeline_options(LIVE)
@max_pixels_option(ServerSettings.max_pixels)
@common_options
def serve(
    host: str, port: int, token: str | None, allow_anyone: bool, origins: tuple[str, ...], hosts: tuple[str, ...],
    certificate: Path | None, key: Path | None, source: str | None, loop: bool, reconnect: float, follow_redirects: bool,
    form: CaptureFormat, publishing: PublishSettings, max_clients: int, max_requests: int, max_upload: int,
    settings: PipelineSettings,
) -> None:  # fmt: skip
    """Start a web server with a page for the browser's camera and an API for other programs.

    By default, only programs on this machine can connect (see --host). Press Ctrl-C to stop it.
    """
    _check_packages()
    from emodetect.serve.run import SourceSettings, serving
    from emodetect.sources.camera import LiveSource

    own = None
    if source is None:
        _refuse_source_options(publishing)
    else:
        own = SourceSettings(LiveSource.parse(source), form, loop, reconnect, follow_redirects, publishing)
    server_settings = ServerSettings(
        host, port, token, allow_anyone, origins, hosts, clients=max_clients, requests=max_requests, upload=max_upload
    )
    secured = _certificate(certificate, key)
    ctx = click.get_current_context()
    describe_backend(settings.backend.create(responsive=True), settings.backend)
    with serving(
        server_settings,
        _pipelines(settings, ctx),
        source=own,
        certificate=secured,
        format_error=partial(_in_one_line, ctx=ctx),
        report=_report,
    ) as server:
        _warn(server_settings, secured)
        note(f"emodetect: {server.address} (Ctrl-C ends it)")
        server.wait()


def _check_packages() -> None:
    """Check that the packages of the extra are installed.

    Raises:
        BackendUnavailableError: a package is missing.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        names = ", ".join(name.replace("_", "-") for name in missing)
        raise BackendUnavailableError(f"serve needs packages that are not installed: {names}", hint=extra_cure("serve"))


def _refuse_source_options(publishing: PublishSettings) -> None:
    """Check that options of the server's own source are set only together with one.

    Raises:
        UsageError: one of these options is set without ``--source``.
    """
    names = ("loop", "reconnect", "follow_redirects", "size", "fps", "publish", "changes_only")
    refuse_options(*names, beside="a server without --source", reason="it applies to the server's own source")
    if publishing.addresses:  # set by a variable or the configuration file, which also apply to other runs
        note("emodetect: nothing is published: the server has no --source of its own")


def _certificate(certificate: Path | None, key: Path | None) -> Certificate | None:
    """Create the HTTPS certificate of the options.

    Raises:
        UsageError: one of the files is missing.
    """
    from emodetect.serve.server import Certificate

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, other = ("--key", "--certificate") if certificate is None else ("--certificate", "--key")
        raise UsageError(f"{given} requires {other}")
    return Certificate(certificate, key)


def _warn(settings: ServerSettings, certificate: Certificate | None) -> None:
    """Print warnings about the access of others to the address."""
    if settings.allow_anyone and not settings.is_local:
        note(f"emodetect: {settings.host}: everybody who reaches this address can use the server, and see its source")
    if certificate is None and not settings.is_local:
        note("emodetect: pictures and the token travel unencrypted; --certificate and --key make it HTTPS")


def _pipelines(settings: PipelineSettings, ctx: click.Context) -> ServedPipelines:
    """Settings by kind of input. An option that is not set has that kind's own default, as in 'image' and 'video'."""

    def is_given(name: str) -> bool:
        return ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)

    def served(kind: PipelineSettings) -> PipelineSettings:
        smallest = settings.detector.min_face if is_given("min_face") else kind.detector.min_face
        return replace(
            settings,
            detector=replace(settings.detector, min_face=smallest),
            track=kind.track,
            smoothing=settings.smoothing if is_given("smoothing") else kind.smoothing,
        )

    return ServedPipelines(served(PHOTOS), served(CLIPS), served(LIVE))


def _in_one_line(error: EmodetectError, ctx: click.Context) -> str:
    """Error message for a client."""
    return one_line(error_message(error, ctx))


def _report(text: str) -> None:
    """Print why the server's source or a publisher ended."""
    print_message(f"emodetect: {text}")
