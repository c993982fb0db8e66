"""What a person says of an alert, as the page sends it to a module and the module sends it up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from modules.common.messages.message import BadMessage, Message, json_message, rfc3339

VERDICTS: Final = ("true", "false", "unsure")
_LENGTH: Final = 500  # characters of a reason


@dataclass(frozen=True, slots=True)
class OperatorVerdict:
    """`verdict` says whether the alert was right: `true`, `false` or `unsure`."""

    alert: str
    verdict: str
    by: str
    why: str
    at: datetime

    @classmethod
    def parse(cls, document: Mapping[str, Any], at: datetime) -> Self:
        """Of a command or method's `id`, `verdict` (a boolean will do), `by` and `why`. Raises BadMessage."""
        said = document.get("verdict")
        verdict = str(said).lower() if isinstance(said, bool) else said
        if verdict not in VERDICTS:
            raise BadMessage("wrong_shape", f"verdict is one of {', '.join(VERDICTS)}")
        try:
            alert = str(UUID(str(document.get("id"))))
        except ValueError as error:
            raise BadMessage("wrong_shape", "id is the message id of an alert, a UUID") from error
        texts = [str(document.get(name) or "")[:_LENGTH] for name in ("by", "why")]
        return cls(alert, str(verdict), texts[0] or "somebody", texts[1], at)

    def message(self, *, source: str, seq: int, message_id: str | None, sample: str | None) -> Message:
        """The record that goes up; `sample` is the id of the sample that shows what the alert was about."""
        document = {
            "alert": self.alert,
            "verdict": self.verdict,
            "by": self.by,
            "why": self.why,
            "at": rfc3339(self.at),
            "sample": sample,
        }
        return json_message(
            document,
            kind="verdict",
            source=source,
            seq=seq,
            time=self.at,
            message_id=message_id,
            trace_id=self.alert,
            properties={"verdict": self.verdict},
        )
