"""What the platform tells of subscribe messages, as it comes over HTTP."""

import pytest

from domain.messages import Channel, MessageKind
from services.outbox import queue_message
from tests.bot.conftest import PHONE

POPUP, CHANGE, SENT = (
    "subscribe_msg_popup_event",
    "subscribe_msg_change_event",
    "subscribe_msg_sent_event",
)


@pytest.fixture
def templates(services):
    """Two of our templates."""
    found = services.subscriptions.subscribe.templates
    return [found[MessageKind.BILL_PUBLISHED], found[MessageKind.NOTICE]]


@pytest.fixture
def tell(live, simulator):
    """Let the platform push an event of a person; give what our side answered."""

    def tell(event, *entries, copies=1):
        simulator.person(PHONE)
        return simulator.post(
            f"people/{PHONE}/mini_push", event=event, list=list(entries), copies=copies
        )

    return tell


@pytest.fixture
def quotas(database):
    return lambda: {
        row["template_id"]: row["quota"]
        for row in database.rows("SELECT template_id, quota FROM subscribe_quota")
    }


def answer(template_id, said="accept"):
    return {"TemplateId": template_id, "SubscribeStatusString": said, "PopupScene": "0"}


class TestPrompt:
    def test_one_template_comes_as_an_object(self, tell, templates, quotas):
        tell(POPUP, answer(templates[0]))

        assert quotas() == {templates[0]: 1}

    def test_several_come_as_an_array(self, tell, templates, quotas):
        tell(POPUP, answer(templates[0]), answer(templates[1], "reject"))

        assert quotas() == {templates[0]: 1}

    def test_copies_of_one_event_count_once(self, tell, templates, quotas):
        tell(POPUP, answer(templates[0]), copies=5)

        assert quotas() == {templates[0]: 1}

    @pytest.mark.parametrize("said", ["reject", "ban", "filter", "", "ACCEPT"])
    def test_nothing_else_permits(self, tell, templates, quotas, said):
        tell(POPUP, answer(templates[0], said))

        assert quotas() == {}

    def test_a_template_that_is_not_ours_permits_nothing(self, tell, quotas):
        tell(POPUP, answer("somebody-elses"))

        assert quotas() == {}

    @pytest.mark.parametrize(
        "entry", [{}, {"TemplateId": {"a": 1}}, {"TemplateId": ["x"]}, {"TemplateId": None}]
    )
    def test_rubbish_changes_nothing(self, tell, quotas, entry, database):
        tell(POPUP, entry)

        assert quotas() == {}
        assert database.value("SELECT verdict FROM platform_notice") == "done"


class TestChange:
    def test_a_rejection_ends_what_was_permitted(self, tell, templates, quotas):
        tell(POPUP, answer(templates[0]), answer(templates[1]))

        tell(CHANGE, answer(templates[0], "reject"))

        assert quotas() == {templates[0]: 0, templates[1]: 1}


class TestSent:
    @pytest.fixture
    def message(self, services, database):
        """A subscribe message that was taken; its msgid."""
        services.outbox.unit_of_work.run(
            lambda tx: queue_message(
                tx,
                kind=MessageKind.NOTICE,
                channel=Channel.SUBSCRIBE,
                recipient="o1",
                payload={},
                dedup_key="notice:1",
            )
        )
        database.do(
            "UPDATE outbox_message SET state = 'sent', sent_at = now(),"
            " attempts = 1, provider_id = '77'"
        )
        return "77"

    def test_success_changes_nothing(self, tell, message, database):
        entry = {"TemplateId": "t", "MsgID": message, "ErrorCode": "0", "ErrorStatus": "success"}

        tell(SENT, entry)

        assert database.value("SELECT state FROM outbox_message") == "sent"

    def test_a_failure_is_noted(self, tell, message, database):
        entry = {"TemplateId": "t", "MsgID": message, "ErrorCode": "20003", "ErrorStatus": "failed"}

        tell(SENT, entry)

        assert database.rows("SELECT state, last_error FROM outbox_message") == [
            {"state": "failed", "last_error": "failed:20003"}
        ]

    def test_before_it_was_marked_the_platform_shall_tell_again(self, tell):
        told = tell(SENT, {"TemplateId": "t", "MsgID": "1", "ErrorCode": "0"})

        assert "503" in str(told)
