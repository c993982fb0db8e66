"""Cameras: pictures, what a model saw in them, the gate's tuner, and what a camera can be asked for."""

from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from modules.status.api import answers
from modules.status.api.asks import Name, Signed, TheCaller, TheDesk, TheScreen, Threshold, answer
from modules.status.desk import Caller, Desk
from modules.status.screen import Screen
from modules.status.views import ViewError

router = APIRouter(prefix="/api/v1/cameras", tags=["cameras"])
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("", summary="Cameras and where their last pictures are", response_model=answers.Cameras)
async def cameras(screen: TheScreen) -> Response:
    """As their modules describe them."""
    return answer({"cameras": screen.cameras()})


@router.get("/{name}/picture", summary="The newest picture, masked", response_class=Response, responses=_PICTURE)
async def picture(screen: TheScreen, name: Name) -> Response:
    """Privacy masks were painted by the camera module."""
    return _shown(await screen.camera_view(name, "picture"))


@router.get("/{name}/gate", summary="The gate's tuner", response_model=answers.Gate)
async def gate(screen: TheScreen, name: Name) -> Response:
    """Threshold, noise and the last two minutes."""
    return _object(await screen.camera_view(name, "gate"))


@router.get("/{name}/gate.jpg", summary="The gate's picture", response_class=Response, responses=_PICTURE)
async def gate_picture(screen: TheScreen, name: Name) -> Response:
    """Motion with contours and regions."""
    return _shown(await screen.camera_view(name, "gate.jpg"))


@router.get(
    "/{name}/heatmap", summary="The last picture with its heat map", response_class=Response, responses=_PICTURE
)
async def heatmap(screen: TheScreen, name: Name) -> Response:
    """Where the model has one."""
    return _shown(await screen.inference_view(name, "heatmap"))


@router.get("/{name}/verdict", summary="What a model saw last", response_model=answers.Seen)
async def verdict(screen: TheScreen, name: Name) -> Response:
    """And whether there is a heat map of it."""
    return _object(await screen.inference_view(name, "last"))


@router.post("/{name}/captureNow", summary="A picture now, please", status_code=202, response_model=answers.Asked)
async def capture_now(screen: TheScreen, desk: TheDesk, caller: TheCaller, name: Name, body: Signed) -> Response:
    """Past the gate."""
    return _ask(screen, desk, caller, name, "captureNow", {"who": body.who, "why": body.why})


@router.post("/{name}/threshold", summary="Set the gate's threshold", status_code=202, response_model=answers.Asked)
async def threshold(screen: TheScreen, desk: TheDesk, caller: TheCaller, name: Name, body: Threshold) -> Response:
    """A setting changed here, over the twin."""
    more: dict[str, object] = {"threshold": body.threshold, "who": body.who, "why": body.why}
    return _ask(screen, desk, caller, name, "setThreshold", more)


@router.post(
    "/{name}/snapshotBackground", summary="Take a new background", status_code=202, response_model=answers.Asked
)
async def snapshot_background(
    screen: TheScreen, desk: TheDesk, caller: TheCaller, name: Name, body: Signed
) -> Response:
    """The next picture is what is usual."""
    return _ask(screen, desk, caller, name, "snapshotBackground", {"who": body.who, "why": body.why})


def _ask(screen: Screen, desk: Desk, caller: Caller, name: str, verb: str, more: dict[str, object]) -> Response:
    camera = screen.camera(name)
    arguments = {"source": camera["source"], **more}
    message_id = desk.ask(camera["module"], verb, arguments, about=camera["source"], caller=caller)
    return answer({"asked": verb, "target": camera["module"], "message_id": message_id}, 202)


def _shown(found: tuple[str, bytes]) -> Response:
    """A picture, and nothing that a browser could take for something else."""
    content_type, body = found
    if content_type != "image/jpeg":
        raise ViewError("what the module shows is no picture")
    return Response(body, media_type=content_type)


def _object(found: tuple[str, bytes]) -> Response:
    try:
        said = orjson.loads(found[1])
    except orjson.JSONDecodeError as error:
        raise ViewError("what the module shows is no JSON") from error
    if not isinstance(said, dict):
        raise ViewError("what the module shows is no object")
    return answer(said)
