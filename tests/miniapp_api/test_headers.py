import pytest

PATHS = [
    "/api/v1/houses",
    "/api/v1/openapi.json",
    "/api/docs",
    "/api/docs/files/swagger-ui.css",
    "/healthz",
    "/metrics",
    "/none",
    "/wechat/official",
    "/notify/wechatpay",
]


@pytest.mark.parametrize("path", PATHS)
class TestEveryAnswer:
    def test_forbids_sniffing_framing_and_leaking(self, client, path):
        headers = client.get(path, buffered=True).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe-eval" not in headers["Content-Security-Policy"]

    def test_has_an_id_and_no_cookie(self, client, path):
        headers = client.get(path, buffered=True).headers

        assert headers["X-Request-ID"]
        assert "Set-Cookie" not in headers

    def test_no_script_of_others_may_run(self, client, path):
        csp = client.get(path, buffered=True).headers["Content-Security-Policy"]

        assert csp.startswith(("default-src 'none'", "default-src 'self'"))
        assert "script-src" not in csp or "unsafe-inline" not in csp.split("script-src")[1]

    def test_no_other_site_may_read_it(self, client, path):
        answer = client.get(path, headers={"Origin": "https://evil.example"}, buffered=True)

        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


class TestApiAnswers:
    def test_are_not_kept_by_caches(self, owner):
        assert owner.get("/bills").headers["Cache-Control"] == "no-store"

    def test_are_not_kept_when_refused(self, client):
        assert client.get("/api/v1/bills").headers["Cache-Control"] == "no-store"

    def test_chinese_is_sent_as_it_is(self, owner):
        assert "翠湖花园" in owner.get("/houses").text
