import pytest

from domain.messages import MessageKind
from models import SubscribeQuota, WechatIdentity
from tests import factories

URL = "/api/v1/subscriptions"


@pytest.fixture
def templates(services):
    return services.subscriptions.subscribe.templates


@pytest.fixture
def owner(database, services):
    """A signed-in owner with a mini-program openid; the headers of their calls."""
    with database.session() as session:
        house = factories.make_house(session)
        account = factories.make_account(
            session, owner=factories.make_owner(session, house=house), houses=[house]
        )
        factories.make_identity(
            session, account=account, appid=services.subscriptions.subscribe.appid, openid="mini"
        )
        token = factories.make_session(session, account=account)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def permit(database, templates):
    def permit(kind, times):
        with database.session() as session:
            identity = session.query(WechatIdentity).filter_by(openid="mini").one()
            session.add(
                SubscribeQuota(
                    identity_id=identity.id,
                    template_id=templates[kind],
                    quota=times,
                    changed_at=factories.MADE_AT,
                )
            )

    return permit


def test_the_scarcest_are_asked_for_first(client, owner, permit, templates):
    permit(MessageKind.NOTICE, 3)
    permit(MessageKind.BILL_PUBLISHED, 1)

    items = client.get(URL, headers=owner).get_json()["items"]

    assert [(one["template_id"], one["left"]) for one in items] == [
        (templates[MessageKind.REPAIR_PROGRESS], 0),
        (templates[MessageKind.BILL_PUBLISHED], 1),
        (templates[MessageKind.NOTICE], 3),
    ]
    assert items[1]["kinds"] == ["bill_published", "bill_due_soon", "bill_overdue"]


def test_the_clients_word_permits_nothing(client, owner, templates, database):
    answer = {"template_id": templates[MessageKind.NOTICE], "said": "accept"}

    told = client.post(URL, headers=owner, json={"answers": [answer]})

    assert told.status_code == 200
    assert database.value("SELECT count(*) FROM subscribe_quota") == 0
    assert {one["left"] for one in told.get_json()["items"]} == {0}


def test_what_was_just_refused_is_not_asked_for_again(client, owner, templates):
    refused = templates[MessageKind.NOTICE]

    told = client.post(
        URL, headers=owner, json={"answers": [{"template_id": refused, "said": "reject"}]}
    )

    assert refused not in [one["template_id"] for one in told.get_json()["items"]]


@pytest.mark.parametrize("answers", [[], [{"template_id": "x", "said": "accept"}] * 4, None])
def test_a_prompt_has_one_to_three_answers(client, owner, answers):
    assert client.post(URL, headers=owner, json={"answers": answers}).status_code == 422
