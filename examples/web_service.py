"""Emotions as a web service: pip install fastapi uvicorn, then uvicorn --app-dir examples web_service:app.

curl --data-binary @photo.jpg localhost:8000/faces
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

import emodetect


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the network once; all requests share it."""
    with emodetect.open_pipeline() as pipeline:
        app.state.pipeline = pipeline
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/faces")
async def faces(request: Request) -> list[dict[str, Any]]:
    """Read the faces in the photo that is the request's body."""
    photo = await request.body()
    try:
        # In a thread, so that other requests are answered meanwhile.
        result = await asyncio.to_thread(read, photo)
    except emodetect.EmodetectError as error:
        raise HTTPException(400, str(error)) from error
    return [face.as_dict() for face in result.readings]


def read(photo: bytes) -> emodetect.FrameResult:
    """Read a photo's bytes with the network that is loaded."""
    pipeline: emodetect.EmotionPipeline = app.state.pipeline
    return pipeline.analyze(emodetect.Frame(emodetect.load_image(photo)))
