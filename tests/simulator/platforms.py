"""The tests' own hand on the simulator: control calls and WeChat calls over HTTP."""

from typing import Any

import requests


class Platforms:
    def __init__(self, url: str, http: requests.Session) -> None:
        self.url = url
        self.http = http

    def control(self, path: str, data: Any = None, *, status: int = 200) -> Any:
        answer = self.http.post(f"{self.url}/_sim/{path}", json={} if data is None else data)
        assert answer.status_code == status, answer.text
        return answer.json()

    def look(self, path: str, /, **query: Any) -> Any:
        answer = self.http.get(f"{self.url}/_sim/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def settings(self, tenant: str = "main") -> dict[str, str]:
        settings: dict[str, str] = self.look("credentials", tenant=tenant)
        return settings

    def fault(self, action: dict[str, Any], *, times: int | None = None, **match: Any) -> Any:
        return self.control("faults", [{"match": match, "times": times, "action": action}])

    def advance(self, seconds: float) -> Any:
        return self.control("clock", {"advance": seconds})

    def wx(self, method: str, path: str, *, data: Any = None, **query: Any) -> dict[str, Any]:
        answer = self.http.request(method, f"{self.url}/wx/{path}", json=data, params=query)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def token(self, settings: dict[str, str], kind: str = "OFFICIAL", **more: Any) -> str:
        answer = self.wx(
            "POST",
            "cgi-bin/stable_token",
            data={
                "grant_type": "client_credential",
                "appid": settings[f"WECHAT_{kind}_APPID"],
                "secret": settings[f"WECHAT_{kind}_SECRET"],
                **more,
            },
        )
        return str(answer["access_token"])
