"""Handing photos and documents in over HTTP, and following the links."""

import io

import pytest
from PIL import Image

from domain.files import PHOTO_LIMIT
from miniapp_api.limits import FILES, FOLLOWING_LINKS
from tests import factories
from tests.gateways.test_photos import photo
from tests.miniapp_api import forms
from tests.miniapp_api.answers import refusal

PDF = b"%PDF-1.7\n%%EOF"


def form(content, name="照片.jpg", field="file"):
    return {"data": forms.form(content, name, field), "content_type": forms.CONTENT_TYPE}


@pytest.fixture
def owner(database):
    with database.session() as session:
        return factories.make_session(session, account=factories.make_account(session))


@pytest.fixture
def key_of(database):
    def key_of(role):
        with database.session() as session:
            staff = factories.make_staff(session, role=role)
            return factories.make_staff_token(session, staff=staff)

    return key_of


@pytest.fixture
def hand_in(client):
    def hand_in(token, path="/photos", **more):
        return client.post(f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, **more)

    return hand_in


class TestPhotos:
    def test_from_the_phone_to_the_link(self, client, hand_in, owner):
        answer = hand_in(owner, **form(photo((2000, 1000))))

        assert answer.status_code == 201, answer.text
        told = answer.json
        assert (told["kind"], told["width"], told["height"]) == ("photo", 1600, 800)
        full, small = client.get(told["url"]), client.get(told["small_url"])
        for got, size in ((full, (1600, 800)), (small, (320, 160))):
            assert got.status_code == 200
            assert got.mimetype == "image/jpeg"
            assert Image.open(io.BytesIO(got.data)).size == size
        assert full.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in full.headers["Content-Security-Policy"]
        assert full.headers["Cache-Control"] == "private, max-age=300"

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({}, "file_missing"),
            (form(b""), "file_missing"),
            (form(photo(), field="other"), "file_missing"),
            (form(b"<svg onload=alert(1)>"), "photo_unreadable"),
            (form(b"x" * (PHOTO_LIMIT + 1)), "photo_too_large"),
        ],
    )
    def test_what_is_no_photo(self, hand_in, owner, more, code):
        assert refusal(hand_in(owner, **more), 422)["code"] == code

    def test_a_body_without_end_is_cut_off(self, hand_in, owner):
        assert hand_in(owner, **form(b"x" * (PHOTO_LIMIT + 1024 * 1024))).status_code == 413

    def test_staff_by_role(self, hand_in, key_of):
        for role, status in (("engineer", 201), ("customer_service", 201), ("cashier", 403)):
            answer = hand_in(key_of(role), "/staff/photos", **form(photo()))
            assert answer.status_code == status, role

    def test_owners_and_staff_have_doors_of_their_own(self, hand_in, owner, key_of):
        assert hand_in(owner, "/staff/photos", **form(photo())).status_code == 401
        assert hand_in(key_of("engineer"), "/photos", **form(photo())).status_code == 401

    def test_no_more_than_so_many_a_minute(self, hand_in, owner):
        for _ in range(FILES.per_minute):
            hand_in(owner)

        assert refusal(hand_in(owner), 429)["code"] == "too_many"


class TestDocuments:
    def test_is_saved_and_never_shown(self, client, hand_in, key_of):
        answer = hand_in(key_of("engineer"), "/staff/documents", **form(PDF, "电梯 年检.pdf"))

        assert answer.status_code == 201, answer.text
        got = client.get(answer.json["url"])
        assert got.data == PDF
        assert got.headers["Content-Disposition"] == (
            "attachment; filename*=UTF-8''%E7%94%B5%E6%A2%AF%20%E5%B9%B4%E6%A3%80.pdf"
        )

    def test_a_page_in_disguise(self, hand_in, key_of):
        answer = hand_in(key_of("engineer"), "/staff/documents", **form(b"<html>", "a.pdf"))

        assert refusal(answer, 422)["code"] == "document_refused"


class TestLinks:
    @pytest.fixture
    def url(self, hand_in, owner):
        return hand_in(owner, **form(photo())).json["url"]

    def test_an_old_or_changed_link_is_as_if_there_was_no_file(self, client, url, clock):
        missing = refusal(client.get(url.replace("/files/", "/files/9")), 404)
        changed = refusal(client.get(url[:-1] + ("0" if url[-1] != "0" else "1")), 404)
        clock.advance(minutes=10, seconds=1)
        old = refusal(client.get(url), 404)

        for one in (missing, changed, old):
            assert (one["code"], one["message"]) == ("not_found", "没有找到")

    @pytest.mark.parametrize(
        "query", ["", "?sign=x", "?size=huge&until=1&sign=x", "?until=x&sign=x", "?until=1&sign="]
    )
    def test_half_a_link(self, client, url, query):
        path = url.partition("?")[0]

        assert refusal(client.get(path + query), 422)["code"] == "invalid_input"

    def test_no_more_than_so_many_a_minute(self, client, url):
        for _ in range(FOLLOWING_LINKS.per_minute):
            client.get("/api/v1/files/1")

        assert refusal(client.get(url), 429)["code"] == "too_many"
