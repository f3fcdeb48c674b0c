"""The forms of Tencent Cloud's answers: an error envelope, and a status for each number."""

import json
import uuid
from typing import Any

from flask import Response, jsonify

from simulator.calls import judge

# Codes of these kinds concern the whole request; all others are told number by number.
_WHOLE = (
    "AuthFailure",
    "InternalError",
    "InvalidAction",
    "MissingParameter",
    "NoSuchVersion",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "UnknownParameter",
    "UnsupportedOperation",
)


def answer(content: dict[str, Any]) -> Response:
    """Wrap the content; the HTTP status is always 200."""
    return jsonify({"Response": {**content, "RequestId": str(uuid.uuid4())}})


def error(code: str, message: str) -> Response:
    """Refuse the whole request."""
    judge(f"{code}: {message}")
    return answer({"Error": {"Code": code, "Message": message}})


def number_status(
    number: str, *, code: str, message: str, session: str, serial_no: str = ""
) -> dict[str, Any]:
    """Return one entry of SendStatusSet."""
    return {
        "SerialNo": serial_no,
        "PhoneNumber": number,
        "Fee": 1 if code == "Ok" else 0,
        "SessionContext": session,
        "Code": code,
        "Message": message,
        "IsoCode": "CN",
    }


def refusal(code: str, body: bytes) -> Response:
    """Answer with this code as the platform would, for a fault rule."""
    if code.startswith(_WHOLE):
        return error(code, "fault")
    try:
        data = json.loads(body)
    except ValueError:
        data = {}
    judge(f"{code}: fault")
    return answer(
        {
            "SendStatusSet": [
                number_status(
                    str(number),
                    code=code,
                    message="fault",
                    session=str(data.get("SessionContext", "")),
                )
                for number in data.get("PhoneNumberSet", [])
            ]
        }
    )
