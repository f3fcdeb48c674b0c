from services.recipients import official_openids
from tests import factories


class TestOfficialOpenids:
    def test_only_those_who_follow_now_oldest_first(self, unit_of_work, database):
        with database.session() as session:
            account, stranger = (factories.make_account(session) for _ in range(2))
            for openid, who, is_following in (
                ("first", account, True),
                ("left", account, False),
                ("second", account, True),
                ("of-another", stranger, True),
                ("of-nobody", None, True),
            ):
                factories.make_identity(
                    session,
                    account=who,
                    appid="official",
                    openid=openid,
                    is_following=is_following,
                )

        openids = unit_of_work.run(lambda tx: official_openids(tx, account_id=account.id))

        assert openids == ["first", "second"]

    def test_an_account_without_any_is_reached_nowhere(self, unit_of_work):
        assert unit_of_work.run(lambda tx: official_openids(tx, account_id=5)) == []
