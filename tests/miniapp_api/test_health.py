import pytest

from tests.miniapp_api.answers import refusal


class TestAlive:
    def test_answers_without_the_database(self, client):
        assert client.get("/healthz").json == {"status": "alive"}


class TestReady:
    def test_is_ready_with_all_migrations(self, client):
        answer = client.get("/readyz")

        assert (answer.status_code, answer.json) == (200, {"status": "ready"})

    def test_is_not_ready_on_another_schema(self, client, database):
        head = database.value("SELECT version_num FROM alembic_version")
        database.do("UPDATE alembic_version SET version_num = '0000'")
        try:
            answer = client.get("/readyz")
        finally:
            database.do("UPDATE alembic_version SET version_num = :head", head=head)

        assert (answer.status_code, answer.json) == (503, {"status": "not_ready"})


class TestMetrics:
    def test_shows_numbers_to_whoever_holds_the_token(self, client):
        answer = client.get("/metrics", headers={"Authorization": "Bearer for-the-metrics"})

        assert answer.status_code == 200
        lines = answer.text.splitlines()
        assert lines
        assert all(line.startswith(("# TYPE anju_", "anju_")) for line in lines)
        assert all(line.split()[1].isdigit() for line in lines if not line.startswith("#"))

    @pytest.mark.parametrize("given", ["", "Bearer ", "Bearer x", "Bearer for-the-metric", "码"])
    def test_is_not_there_for_anybody_else(self, client, given):
        headers = {"Authorization": given.encode().decode("latin-1")}

        assert refusal(client.get("/metrics", headers=headers), 404)["code"] == "not_found"
