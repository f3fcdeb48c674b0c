"""How a story is told: the commands, the calls and the phone that its steps use, and its checks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import requests

from localstack.stack import Stack

PATIENCE_S = 60


class StoryBroken(Exception):
    """A step of the story is not true."""


class Teller:
    """Does what people do, from outside, and says one numbered sentence per step."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._phone = Phone(stack.simulator_url)
        self._token = ""
        self._step = 0

    def _say(self, sentence: str) -> None:
        self._step += 1
        print(f"{self._step:>2}. {sentence}", flush=True)

    def _flask(self, *words: str) -> str:
        return self._stack.run(*words)

    def _sign_in(self, phone: str) -> str:
        asked = self._post("/phone-codes", {"phone": phone}, token="")
        must(asked.status_code == 202, f"获取验证码：{asked.text}")
        code = until(lambda: self._sms_code(phone), "验证码短信")
        wechat = self._phone.post(f"people/{phone}/wx_login")["code"]
        signed = self._post(
            "/sessions/by-phone-code",
            {"phone": phone, "code": code, "wechat_code": wechat},
            token="",
        )
        must(signed.status_code == 201, f"登录：{signed.text}")
        return str(signed.json()["token"])

    def _sms_code(self, phone: str) -> str | None:
        texts = [str(one["text"]) for one in self._phone.get("sms", phone=phone)]
        found = [re.search(r"\d{6}", words) for words in texts if "验证码" in words]
        return found[0][0] if found and found[0] else None

    def _get(self, path: str) -> dict[str, Any]:
        answer = requests.get(
            f"{self._stack.web_url}/api/v1{path}",
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=10,
        )
        must(answer.status_code == 200, f"{path}：{answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def _post(
        self, path: str, form: dict[str, Any], *, token: str | None = None, key: str = ""
    ) -> requests.Response:
        token = self._token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["Idempotency-Key"] = key
        return requests.post(
            f"{self._stack.web_url}/api/v1{path}", json=form, headers=headers, timeout=20
        )


class Phone:
    """The simulated phone's controls."""

    def __init__(self, url: str) -> None:
        self._url = url

    def person(self, phone: str) -> dict[str, Any]:
        """Meet a person, or make one."""
        return self.post("people", phone=phone)

    def get(self, control: str, **params: str) -> Any:
        """Look at something of the platforms."""
        return requests.get(f"{self._url}/_sim/{control}", params=params, timeout=20).json()

    def post(self, control: str, **body: Any) -> dict[str, Any]:
        """Do something as a person or a platform."""
        answer = requests.post(f"{self._url}/_sim/{control}", json=body, timeout=30)
        must(answer.ok, f"{control}：{answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found


def yuan(fen: int) -> str:
    """Write fen the way the product shows them, without the sign."""
    return f"{fen // 100:,}.{fen % 100:02d}"


def fen(yuan: str) -> int:
    """Read what `yuan` writes."""
    whole, _, rest = yuan.replace(",", "").partition(".")
    return int(whole) * 100 + int(rest)


def must(is_true: bool, otherwise: str) -> None:
    """Break the story where something is not so."""
    if not is_true:
        raise StoryBroken(otherwise)


def must_say(said: str, *wanted: str) -> None:
    """Break the story where words are missing."""
    for words in wanted:
        must(words in said, f"应当有“{words}”，实际是：\n{said}")


def figure(said: str, pattern: str) -> str:
    """Find a figure in what was said, by a pattern with one group."""
    match = re.search(pattern, said)
    must(match is not None, f"没有找到 {pattern}：\n{said}")
    return match[1] if match else ""


def refusal(command: Callable[[], str]) -> str:
    """Run what must be refused and give the words of the refusal."""
    try:
        return "（没有被拒绝）" + command()
    except Exception as error:  # noqa: BLE001 - whatever it says is looked at
        return str(error)


def until(look: Callable[[], Any], what: str) -> Any:
    """Look again until there is something.

    Raises:
        StoryBroken: nothing within a minute.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.25)
    raise StoryBroken(f"等了 {PATIENCE_S} 秒还没有：{what}")
