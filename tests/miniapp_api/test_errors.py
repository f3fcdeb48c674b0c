import pytest
from flask import Flask, abort

from domain import errors as kinds
from miniapp_api import errors
from tests.miniapp_api.answers import facts, refusal

KINDS = {
    422: kinds.InvalidInput(fields={"phone": ["格式不对"]}),
    401: kinds.NotSignedIn(),
    403: kinds.NotAllowed(),
    404: kinds.NotFound(),
    409: kinds.Conflict(),
    429: kinds.TooMany(retry_after_s=7),
    502: kinds.PlatformRefused(vendor_code="40001"),
    503: kinds.PlatformUnavailable(retry_after_s=3),
}


@pytest.fixture
def broken():
    """An app of nothing but errors."""
    app = Flask(__name__)
    errors.register(app)

    @app.get("/kind/<int:status>")
    def kind(status):
        raise KINDS[status]

    @app.get("/http/<int:status>")
    def http(status):
        abort(status)

    @app.get("/mistake")
    def mistake():
        raise RuntimeError("secret=canary in /work/main")

    return app.test_client()


class TestStatus:
    @pytest.mark.parametrize("status", sorted(KINDS))
    def test_each_kind_has_its_number(self, broken, status):
        answer = broken.get(f"/kind/{status}")

        assert answer.status_code == status
        assert answer.json["error"]["code"] == KINDS[status].code
        assert answer.json["error"]["message"] == KINDS[status].message

    def test_a_special_error_has_the_number_of_its_kind(self):
        class Special(kinds.Conflict):
            code = "special"

        assert errors.status_of(Special()) == 409

    def test_no_kind_at_all_is_our_mistake(self):
        assert errors.status_of(kinds.PropertyError()) == 500

    def test_reasons_stand_beside_their_fields(self, broken):
        assert broken.get("/kind/422").json["error"]["fields"] == {"phone": ["格式不对"]}

    @pytest.mark.parametrize(("status", "wait"), [(429, "7"), (503, "3")])
    def test_says_when_to_come_back(self, broken, status, wait):
        assert broken.get(f"/kind/{status}").headers["Retry-After"] == wait

    def test_the_vendors_code_stays_with_us(self, broken):
        assert "40001" not in broken.get("/kind/502").text


class TestHttp:
    @pytest.mark.parametrize("status", [400, 404, 405, 408, 411, 413, 414, 415, 418, 422, 431])
    def test_has_the_same_shape(self, broken, status):
        answer = broken.get(f"/http/{status}")

        assert answer.status_code == status
        assert set(answer.json["error"]) == {"code", "message", "fields", "request_id"}
        assert answer.json["error"]["code"] != "internal_error"

    def test_a_mistake_tells_nothing(self, broken, caplog):
        answer = broken.get("/mistake")

        assert answer.status_code == 500
        assert answer.json["error"]["code"] == "internal_error"
        assert "canary" not in answer.text
        assert "Traceback" not in answer.text
        assert caplog.records[-1].exc_info


class TestEverywhere:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/none",
            "/api",
            "/api/v1",
            "/api/v1/",
            "/api/v1/none",
            "/api/v1//bills",
            "/api/v1/bills/",
            "/api/v1/bills/0",
            "/api/v1/bills/-1",
            "/api/v1/bills/1.0",
            "/api/v1/bills/9223372036854775808",
            "/api/v1/bills/18446744073709551616",
            "/api/v1/bills/abc",
            "/api/v1/bills/%00",
            "/api/v1/bills/１",
            "/api/docs/files/../../wsgi.py",
            "/api/docs/files/none.js",
            "/static/x",
            "/wechat/other",
            "/console",
            "/.env",
            "/.git/config",
            "/%E0%80%80",
        ],
    )
    def test_an_unknown_path_is_not_found(self, client, path):
        answer = client.get(path)

        assert refusal(answer, 404)["code"] == "not_found"

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("POST", "/api/v1/bills", {"GET", "HEAD", "OPTIONS"}),
            ("DELETE", "/api/v1/payments", {"GET", "HEAD", "OPTIONS", "POST"}),
            ("GET", "/api/v1/phone-codes", {"OPTIONS", "POST"}),
            ("PATCH", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    def test_another_method_is_told_which_are_allowed(self, client, method, path, allowed):
        answer = client.open(path, method=method)

        assert refusal(answer, 405)["code"] == "method_not_allowed"
        assert set(answer.headers["Allow"].split(", ")) == allowed

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "a b", "", "[::1"])
    @pytest.mark.parametrize("path", ["/api/v1/houses", "/healthz", "/none"])
    def test_a_host_that_is_not_ours_is_refused(self, client, host, path):
        answer = client.get(path, headers={"Host": host})

        assert refusal(answer, 400)["code"] == "bad_request"

    def test_a_request_id_of_the_right_form_is_kept(self, client):
        answer = client.get("/none", headers={"X-Request-ID": "abcd-1234"})

        assert refusal(answer, 404)["request_id"] == "abcd-1234"

    @pytest.mark.parametrize("given", ["short", "x" * 65, "a b c d e f", "<script>", "x\x0by" * 9])
    def test_any_other_request_id_is_replaced(self, client, given):
        answer = client.get("/none", headers={"X-Request-ID": given})

        assert refusal(answer, 404)["request_id"] != given

    def test_no_two_requests_share_an_id(self, client):
        ids = {refusal(client.get("/none"), 404)["request_id"] for _ in range(20)}

        assert len(ids) == 20

    def test_a_wrong_query_and_a_wrong_body_name_their_fields_alike(self, client):
        answer = client.post("/api/v1/phone-codes", json={"json": 1, "phone": "19900000001"})

        assert refusal(answer, 422)["fields"] == {"json": ["不认识这个字段"]}

    def test_not_found_never_tells_which(self, owner):
        answers = {facts(owner.get(f"/bills/{number}"))[2] for number in (10**6, 10**7)}

        assert len(answers) == 1
