"""The application: endpoints and their handlers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from typing_extensions import override

from emodetect.errors import EmodetectError, UsageError
from emodetect.serve import schemas
from emodetect.serve.engine import Choice, Engine
from emodetect.serve.jobs import Jobs
from emodetect.serve.limits import Refused, Slots, Upload, Uploads
from emodetect.serve.live import BOUNDARY, LiveFeed, as_events, as_pictures
from emodetect.serve.metrics import CONTENT_TYPE, Metrics
from emodetect.serve.page import page_files, texts
from emodetect.serve.security import SUBPROTOCOL, Guard, refused
from emodetect.serve.stream import Session
from emodetect.settings.serve import ServerSettings
from emodetect.sinks.records import image_as_dict

_log = logging.getLogger(__name__)

_DESCRIPTION = "Classifies the emotions of faces in photos, clips and streams. Uploads are not stored."
_ERROR: Mapping[int | str, dict[str, Any]] = {
    "4XX": {"model": schemas.Error, "description": "What is wrong, in one line."},
    503: {"model": schemas.Error, "description": "The server is busy; the header Retry-After says when to try again."},
}
_FILE = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"file": {"type": "array", "items": _FILE}}}
_FILES = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": _FORM}, "application/octet-stream": {"schema": _FILE}},
    }
}


class Service:
    """Handlers of the endpoints.

    Args:
        settings: limits of clients.
        engine: analyzes pictures.
        metrics: counts requests.
        format_error: formats an error as one line.
        feed: the server's own source, or None.
    """

    def __init__(
        self,
        settings: ServerSettings,
        engine: Engine,
        metrics: Metrics,
        format_error: Callable[[EmodetectError], str],
        feed: LiveFeed | None,
    ) -> None:
        self._settings, self._engine, self._metrics, self._feed = settings, engine, metrics, feed
        self._format_error = format_error
        self._clients, self._requests = Slots(settings.clients, "clients"), Slots(settings.requests, "requests")
        self._uploads, self._jobs = Uploads(settings.upload), Jobs(settings.jobs, format_error)
        self._files, self._texts = page_files(), texts()

    @contextlib.asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Lifespan of the server, during which its own source is read."""
        if self._feed is not None:
            self._feed.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._jobs.close)

    async def analyze(self, request: Request, backend: str | None = None, detector: str | None = None) -> Response:
        """Analyze the faces in photos.

        The response is the JSON output of `emodetect image`: an array with one object per photo. A photo that cannot be read has
        an error in its object. If no photo can be read, the status is 422.
        """
        choice = self._chosen(backend, detector)
        self._requests.check()
        async with self._uploads.read(request) as uploads:
            with self._requests.acquire():
                records = [await self._photo(upload, choice) for upload in uploads]
        failed = [record["error"] for record in records if "error" in record]
        if len(failed) < len(records):
            return JSONResponse(records)
        if len(records) == 1:
            return refused(422, failed[0])
        return JSONResponse({"error": f"none of the {len(records)} photos can be read", "photos": records}, 422)

    async def _photo(self, upload: Upload, choice: Choice) -> dict[str, Any]:
        try:
            result, size = await self._engine.read_photo(upload.content, choice)
        except EmodetectError as error:
            return {"path": upload.name, "error": f"{upload.name}: {self._format_error(error)}"}
        return image_as_dict(upload.name, size, result.readings)

    async def analyze_video(self, request: Request, backend: str | None = None, detector: str | None = None) -> Response:
        """Start the analysis of a clip. The response contains the id of the job, for its progress and result."""
        choice = self._chosen(backend, detector)
        self._jobs.check()
        async with self._uploads.read(request, max_files=1, unnamed="clip") as [upload]:
            await self._engine.ready(choice.backend)
            job = await self._jobs.add(upload, partial(self._engine.clip_pipeline, choice))
        return JSONResponse(job.as_dict(), 202, {"Location": f"/v1/jobs/{job.number}"})

    async def job(self, number: str) -> Response:
        """The progress of a clip's analysis."""
        return JSONResponse(self._jobs.get(number).as_dict())

    async def job_result(self, number: str) -> Response:
        """The result of a clip's analysis: a JSONL log, as from `emodetect video`."""
        job = self._jobs.get(number)
        if job.error is not None:
            return refused(422, job.error)
        if job.state != "done":
            return refused(409, f"the job is {job.state}; its result is there once it is done")
        return Response(bytes(job.result), media_type="application/jsonl")

    async def cancel_job(self, number: str) -> Response:
        """Cancel a clip's analysis, and delete its result."""
        return JSONResponse(self._jobs.cancel(number).as_dict())

    async def stream(self, socket: WebSocket) -> None:
        """A client's stream; see `emodetect.serve.stream`."""
        try:
            query = socket.query_params
            choice = self._chosen(query.get("backend"), query.get("detector"))
            self._clients.check()
        except Refused as error:
            await socket.send_denial_response(_as_response(error))
            return
        except UsageError as error:
            await socket.send_denial_response(refused(400, self._format_error(error)))
            return
        limits = {"max_bytes": self._settings.frame, "max_pixels": self._settings.frame_pixels}
        with self._clients.acquire(), self._metrics.client("stream"), self._engine.stream() as stream:
            offered = socket.scope.get("subprotocols", ())
            with contextlib.suppress(WebSocketDisconnect):
                await socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
                await Session(socket, stream, self._metrics, format_error=self._format_error, **limits).run(choice)

    async def events(self) -> Response:
        """The results of the server's own source, as server-sent events."""
        feed, place = self._open_viewer("events")
        frames = place.enter_context(feed.viewer())
        return _ViewerResponse(as_events(frames, feed), place, "text/event-stream")

    async def pictures(self, annotated: bool = False) -> Response:
        """The pictures of the server's own source, as MJPEG; with ``annotated``, boxes and labels are drawn on them."""
        feed, place = self._open_viewer("pictures")
        frames = place.enter_context(feed.viewer())
        return _ViewerResponse(as_pictures(frames, annotated=annotated), place, f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    async def health(self) -> Response:
        """Health check of the server, and the state of its source."""
        return JSONResponse({"status": "ok", "source": None if self._feed is None else self._feed.state})

    async def version(self) -> Response:
        """The version of emodetect."""
        return JSONResponse({"version": version("emodetect")})

    async def options(self) -> Response:
        """Available backends and detectors, the server's own first, and whether the server has a source."""
        offers = {"backends": self._engine.backends, "detectors": self._engine.detectors, "source": self._feed is not None}
        return JSONResponse(offers)

    async def metrics(self) -> Response:
        """Metrics for Prometheus."""
        return Response(self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def static(self, request: Request, name: str) -> Response:
        """A file of the page."""
        if name not in self._files:
            raise Refused(404, "no such file")
        return self._files[name].answer(request)

    async def page_texts(self, request: Request) -> Response:
        """Texts of the page, in all languages."""
        return self._texts.answer(request)

    def _chosen(self, backend: str | None, detector: str | None) -> Choice:
        return self._engine.choice(backend or None, detector or None)

    def _open_viewer(self, kind: str) -> tuple[LiveFeed, contextlib.ExitStack]:
        """The server's own source, and the place that a viewer has taken."""
        if self._feed is None:
            raise Refused(404, "the server has no source of its own; it was started without one")
        place = contextlib.ExitStack()
        place.enter_context(self._clients.acquire())
        place.enter_context(self._metrics.client(kind))
        return self._feed, place


class _ViewerResponse(StreamingResponse):
    """A streaming response that holds resources until its client disconnects.

    Args:
        content: the content.
        place: the resources, which are released then.
        media_type: media type of the content.
    """

    def __init__(self, content: AsyncIterator[str | bytes], place: contextlib.ExitStack, media_type: str) -> None:
        super().__init__(content, media_type=media_type)
        self._place = place

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._place:
            await super().__call__(scope, receive, send)


def create_app(
    service: Service, settings: ServerSettings, metrics: Metrics, format_error: Callable[[EmodetectError], str]
) -> ASGIApp:
    """Create the application with all its endpoints.

    Args:
        service: handles the requests.
        settings: access control.
        metrics: counts requests.
        format_error: formats an error as one line.
    """
    app = FastAPI(
        title="emodetect",
        version=version("emodetect"),
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        lifespan=service.lifespan,
    )
    add = partial(app.add_api_route, response_model=None)
    photos = {200: {"model": list[schemas.Photo]}, **_ERROR}
    add("/v1/analyze", service.analyze, methods=["POST"], tags=["Photos"], responses=photos, openapi_extra=_FILES)
    job = {202: {"model": schemas.Job}, **_ERROR}
    add(
        "/v1/analyze-video",
        service.analyze_video,
        methods=["POST"],
        tags=["Clips"],
        status_code=202,
        responses=job,
        openapi_extra=_FILES,
    )
    add("/v1/jobs/{number}", service.job, tags=["Clips"], responses={200: {"model": schemas.Job}, **_ERROR})
    lines = {200: {"content": {"application/jsonl": {"schema": schemas.Frame.model_json_schema()}}}, **_ERROR}
    add("/v1/jobs/{number}/result", service.job_result, tags=["Clips"], responses=lines)
    add(
        "/v1/jobs/{number}",
        service.cancel_job,
        methods=["DELETE"],
        tags=["Clips"],
        responses={200: {"model": schemas.Job}, **_ERROR},
    )
    add("/v1/events", service.events, tags=["Source"], responses={200: {"content": {"text/event-stream": {}}}, **_ERROR})
    add(
        "/v1/live.mjpg",
        service.pictures,
        tags=["Source"],
        responses={200: {"content": {"multipart/x-mixed-replace": {}}}, **_ERROR},
    )
    add("/v1/health", service.health, tags=["Server"])
    add("/v1/version", service.version, tags=["Server"])
    add("/v1/options", service.options, tags=["Server"])
    add("/metrics", service.metrics, tags=["Server"], responses={200: {"content": {"text/plain": {}}}})
    for path, name in (("/", "index.html"), ("/overlay", "overlay.html"), ("/docs", "docs.html"), ("/favicon.ico", "icon.svg")):
        add(path, _page(service, name), include_in_schema=False)
    add("/static/{name}", service.static, include_in_schema=False)
    add("/texts.json", service.page_texts, include_in_schema=False)
    app.add_api_websocket_route("/v1/stream", service.stream)
    _add_errors(app, format_error)
    return Guard(app, settings, metrics)


def _page(service: Service, name: str) -> Callable[[Request], Any]:
    async def page(request: Request) -> Response:
        return await service.static(request, name)

    return page


def _add_errors(app: FastAPI, format_error: Callable[[EmodetectError], str]) -> None:
    """Return every error as one line in JSON."""

    @app.exception_handler(Refused)
    async def answer_refused(_: Request, error: Refused) -> Response:
        return _as_response(error)

    @app.exception_handler(EmodetectError)
    async def answer_error(_: Request, error: EmodetectError) -> Response:
        return refused(400 if isinstance(error, UsageError) else 422, format_error(error))

    @app.exception_handler(HTTPException)
    async def answer_http(_: Request, error: HTTPException) -> Response:
        return refused(error.status_code, str(error.detail).lower(), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def answer_invalid(_: Request, error: RequestValidationError) -> Response:
        problems = ", ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
        return refused(400, problems[:300])

    @app.exception_handler(Exception)
    async def answer_unexpected(request: Request, error: Exception) -> Response:
        _log.error("%s: an internal error (%s)", request.url.path, type(error).__name__, exc_info=error)
        return refused(500, "an internal error; the server's terminal says more")


def _as_response(error: Refused) -> Response:
    headers = {} if error.retry is None else {"Retry-After": str(error.retry)}
    # The rest of an unread body is discarded by closing the connection.
    return refused(error.status, error.message, headers | {"Connection": "close"})
