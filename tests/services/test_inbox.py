import io

import pytest
from sqlalchemy.exc import IntegrityError

from services.inbox import BODY_LIMIT, Posted, read_posted


@pytest.fixture
def keep(services):
    def keep(body=b"body", headers=None, source="test"):
        posted = Posted(headers or {}, body, len(body), "127.0.0.1")
        return services.inbox.keep(source=source, posted=posted, request_id="request-1")

    return keep


class TestReadPosted:
    def read(self, body, announced):
        return read_posted(headers={}, stream=io.BytesIO(body), announced=announced, remote_ip=None)

    def test_reads_a_small_body_whole(self):
        posted = self.read(b"x" * 100, 100)

        assert (len(posted.body), posted.size, posted.is_too_large) == (100, 100, False)

    def test_a_body_at_the_limit_is_fine(self):
        assert not self.read(b"x" * BODY_LIMIT, BODY_LIMIT).is_too_large

    @pytest.mark.parametrize("announced", [BODY_LIMIT + 1, None])
    def test_of_a_large_one_only_the_beginning_is_held(self, announced):
        posted = self.read(b"x" * (BODY_LIMIT + 1), announced)

        assert posted.is_too_large
        assert len(posted.body) == 4096

    def test_an_announced_size_is_believed_before_anything_is_read(self):
        stream = io.BytesIO(b"x" * BODY_LIMIT * 4)
        posted = read_posted(headers={}, stream=stream, announced=10_000_000, remote_ip="127.0.0.1")

        assert posted.size == 10_000_000
        assert stream.tell() == 4096


class TestKeep:
    def test_keeps_the_raw_bytes_and_what_matters_of_the_headers(self, keep, database):
        keep(b"\x00\xff", {"Wechatpay-Serial": "PUB", "Cookie": "secret", "User-Agent": "x\x00y"})

        [row] = database.rows("SELECT * FROM platform_notice")
        assert bytes(row["body"]) == b"\x00\xff"
        assert row["headers"] == {"Wechatpay-Serial": "PUB", "User-Agent": "xy"}
        assert (row["verdict"], row["remote_ip"]) == ("received", "127.0.0.1")

    def test_evidence_takes_a_verdict_and_nothing_else(self, services, keep, database):
        notice_id = keep()
        services.inbox.judge(notice_id=notice_id, verdict="stale")

        assert database.value("SELECT verdict FROM platform_notice") == "stale"
        for sql in (
            "UPDATE platform_notice SET body = 'other'",
            "UPDATE platform_notice SET headers = '{}', remote_ip = 'x'",
            "DELETE FROM platform_notice",
        ):
            with pytest.raises(IntegrityError):
                database.do(sql)


class TestTakeOnce:
    def test_the_first_copy_is_taken_and_no_other(self, services, keep):
        first, second = keep(), keep()

        def take(notice_id):
            return services.inbox.take_once(notice_id=notice_id, dedup_key="k")

        assert [take(first), take(second), take(first)] == [True, False, True]

    def test_what_failed_is_given_back_to_the_next_copy(self, services, keep):
        first, second = keep(), keep()
        services.inbox.take_once(notice_id=first, dedup_key="k")
        services.inbox.give_back(notice_id=first, verdict="failed")

        assert services.inbox.take_once(notice_id=second, dedup_key="k")

    def test_what_was_cut_off_is_taken_over_by_the_next_copy(self, services, keep, clock):
        """The process died between claiming a push and doing what it asks for."""
        services.inbox.take_once(notice_id=keep(), dedup_key="k")
        clock.advance(seconds=5)

        assert services.inbox.take_once(notice_id=keep(), dedup_key="k")

    def test_what_is_being_done_or_was_done_is_left_alone(self, services, keep, clock):
        first = keep()
        services.inbox.take_once(notice_id=first, dedup_key="k")
        clock.advance(seconds=3)
        assert not services.inbox.take_once(notice_id=keep(), dedup_key="k")

        services.inbox.judge(notice_id=first, verdict="done")
        clock.advance(hours=1)
        assert not services.inbox.take_once(notice_id=keep(), dedup_key="k")

    def test_two_sources_do_not_meet(self, services, keep):
        assert services.inbox.take_once(notice_id=keep(source="a"), dedup_key="k")
        assert services.inbox.take_once(notice_id=keep(source="b"), dedup_key="k")
