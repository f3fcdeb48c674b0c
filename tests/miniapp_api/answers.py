"""What every refusal of the API must look like."""

import re

_CHINESE = re.compile(r"[一-鿿]")
_ENGLISH = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")


def refusal(answer, status):
    """Check that an answer is a refusal in the one shape, in Chinese, and return its error."""
    assert answer.status_code == status, (answer.status_code, answer.get_data(as_text=True))
    assert answer.mimetype == "application/json"
    body = answer.get_json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "message", "fields", "request_id"}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error["code"])
    assert error["request_id"] == answer.headers["X-Request-ID"] != ""
    said = [error["message"], *(why for reasons in error["fields"].values() for why in reasons)]
    for sentence in said:
        assert _CHINESE.search(sentence), sentence
        assert not _ENGLISH.search(sentence), sentence
    assert "Traceback" not in answer.get_data(as_text=True)
    return error


def facts(answer):
    """Return all that a client can tell an answer by, but for the id that each one has."""
    body = re.sub(rb'"request_id":\s*"[^"]*"', b"", answer.data)
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("X-Request-ID", "Date", "Content-Length")
    }
    return answer.status_code, headers, body
