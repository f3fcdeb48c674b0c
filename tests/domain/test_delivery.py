from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.delivery import ATTEMPTS_CAP, Reaction, pause_before, react
from domain.messages import Channel

WECHAT, SMS = Channel.OFFICIAL_TEMPLATE, Channel.SMS


class TestReact:
    """Source: platforms.md 4.4."""

    @pytest.mark.parametrize(
        ("channel", "vendor_code", "reaction"),
        [
            (WECHAT, "45009", Reaction.REST_UNTIL_MIDNIGHT),
            (WECHAT, "45011", Reaction.WAIT_A_MINUTE),
            (WECHAT, "43004", Reaction.NOT_FOLLOWING),
            (WECHAT, "40003", Reaction.NOT_FOLLOWING),
            (WECHAT, "40037", Reaction.ALARM),
            (WECHAT, "40001", Reaction.ALARM),
            (WECHAT, "47003", Reaction.OTHER_CHANNEL),
            (SMS, "LimitExceeded.AppDailyLimit", Reaction.REST_UNTIL_MIDNIGHT),
            (SMS, "RequestLimitExceeded", Reaction.WAIT_A_MINUTE),
            (SMS, "FailedOperation.InsufficientBalanceInSmsPackage", Reaction.ALARM),
            (SMS, "FailedOperation.SignatureIncorrectOrUnapproved", Reaction.ALARM),
        ],
    )
    def test_a_refusal_means_what_the_platform_says(self, channel, vendor_code, reaction):
        assert react(channel, vendor_code) is reaction

    @pytest.mark.parametrize("vendor_code", ["", "99999", "never.heard.of"])
    @pytest.mark.parametrize("channel", Channel)
    def test_an_unknown_code_sends_the_message_another_way(self, channel, vendor_code):
        assert react(channel, vendor_code) is Reaction.OTHER_CHANNEL

    def test_a_code_of_one_channel_means_nothing_on_the_other(self):
        assert react(SMS, "45009") is Reaction.OTHER_CHANNEL
        assert react(WECHAT, "RequestLimitExceeded") is Reaction.OTHER_CHANNEL


class TestPauseBefore:
    def test_the_first_tries_follow_quickly(self):
        assert [pause_before(attempt).total_seconds() for attempt in (1, 2, 3)] == [5, 15, 30]

    @given(st.integers(1, 100))
    def test_pauses_never_shrink(self, attempt):
        assert pause_before(attempt) <= pause_before(attempt + 1) <= timedelta(hours=3)

    def test_all_tries_take_about_five_hours(self):
        total = sum((pause_before(n) for n in range(1, ATTEMPTS_CAP)), timedelta())

        assert timedelta(hours=4) < total < timedelta(hours=5)
