import re
import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.miniapp_api.answers import refusal


@pytest.fixture
def description(client):
    return client.get("/api/v1/openapi.json").json


def operations(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield method.upper(), path, operation


class TestDescription:
    def test_describes_every_route_below_the_api(self, app, description):
        routes = {
            (method, re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule))
            for rule in app.url_map.iter_rules()
            for method in rule.methods - {"HEAD", "OPTIONS"}
            if rule.rule.startswith("/api/v1/") and rule.endpoint != "api-docs.openapi_json"
        }

        assert {(method, path) for method, path, _ in operations(description)} == routes

    def test_says_which_routes_ask_for_a_session(self, app, description):
        wanted = {
            (method, re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule))
            for rule in app.url_map.iter_rules()
            for method in rule.methods - {"HEAD", "OPTIONS"}
            if getattr(app.view_functions[rule.endpoint], "access", "") == "owner"
        }
        found = {
            (method, path)
            for method, path, operation in operations(description)
            if operation.get("security") == [{"session": []}]
        }

        assert found == wanted
        for _, path, operation in operations(description):
            of_staff = operation.get("security") == [{"staff_key": []}]
            assert of_staff is path.startswith("/api/v1/staff/"), path
        assert description["components"]["securitySchemes"]["session"]["scheme"] == "bearer"

    def test_every_refusal_has_the_one_shape(self, description):
        for method, path, operation in operations(description):
            for status, answer in operation["responses"].items():
                if status.isdigit() and int(status) >= 400:
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema["$ref"].endswith("/ErrorOut"), (method, path, status)

    def test_every_guarded_route_says_401_and_every_body_422(self, description):
        for method, path, operation in operations(description):
            if "security" in operation:
                assert "401" in operation["responses"], (method, path)
            if "requestBody" in operation:
                assert "422" in operation["responses"], (method, path)
            if "{" in path:
                assert "404" in operation["responses"], (method, path)

    def test_every_route_is_explained(self, description):
        for method, path, operation in operations(description):
            assert operation["summary"], (method, path)

    def test_money_is_whole_numbers(self, description):
        for name, schema in description["components"]["schemas"].items():
            for field, form in schema.get("properties", {}).items():
                if field.endswith("_fen"):
                    assert form["type"] == "integer", (name, field)


class TestPage:
    def test_opens_the_description_with_files_of_ours_alone(self, client):
        page = client.get("/api/docs").text

        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert loaded
        for address in loaded:
            assert address.startswith("/api/docs/files/")
            assert client.get(address, buffered=True).status_code == 200
        assert not re.search(r"<script(?![^>]*src)", page)
        assert "/api/v1/openapi.json" in page

    @pytest.mark.parametrize(
        "name", ["index.html", "swagger-ui.js", "..%2f..%2fwsgi.py", "%2e%2e/__init__.py", "none"]
    )
    def test_serves_no_other_file(self, client, name):
        refusal(client.get(f"/api/docs/files/{name}"), 404)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a Chromium on the PATH")
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_browser_shows_it_and_nothing_is_blocked(live, width, height, tmp_path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": height})
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{live}/api/docs")
        page.wait_for_selector(".opblock")
        page.locator(".opblock-summary").first.click()
        page.wait_for_selector(".opblock-body")
        page.screenshot(path=tmp_path / "docs.png")
        routes = page.locator(".opblock").count()
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        browser.close()

    assert said == []
    assert routes > 10
    assert overflow <= 0
    assert all(url.startswith((live, "data:")) for url in asked), asked
