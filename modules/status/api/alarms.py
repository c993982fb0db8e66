"""Alarms: what sounds, how each output stands, and the test button. Pulled from the alarms module where one runs."""

from fastapi import APIRouter
from starlette.responses import Response

from modules.status.api import answers
from modules.status.api.asks import TheCaller, TheDesk, TheScreen, TryOut, answer

router = APIRouter(prefix="/api/v1/alarms", tags=["alarms"])
_MODULE = "alarms"


@router.get("", summary="What sounds, and every output", response_model=answers.Alarms)
async def alarms(screen: TheScreen) -> Response:
    """What sounds comes first."""
    return answer(await screen.views.json(_MODULE, "alarms"))


@router.post("/test", summary="Try an output out", status_code=202, response_model=answers.Asked)
async def test(screen: TheScreen, desk: TheDesk, caller: TheCaller, body: TryOut) -> Response:
    """A switch goes on for some seconds, a messenger sends a test; what came of it shows at the output."""
    shown = await screen.views.json(_MODULE, "alarms")
    if body.output is not None and body.output not in shown["outputs"]:
        raise LookupError(body.output)
    more = {"who": body.who} | ({} if body.output is None else {"output": body.output})
    message_id = desk.ask(_MODULE, "testAlarm", more, about=body.output or "all outputs", caller=caller)
    return answer({"asked": "testAlarm", "target": _MODULE, "message_id": message_id}, 202)
