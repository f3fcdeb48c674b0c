from domain.actors import EVERYWHERE, staff_actor, system_actor
from services.audit import record
from tests import factories


class TestRecord:
    def test_a_row_says_who_did_what_to_which(self, unit_of_work, database, clock):
        with database.session() as session:
            community = factories.make_community(session)
        actor = staff_actor(
            staff_id=7, name="李工", role="manager", scope=EVERYWHERE, request_id="req-1"
        )

        unit_of_work.run(
            lambda tx: record(
                tx,
                actor,
                "price_set",
                subject_type="fee_item",
                subject_id=3,
                community_id=community.id,
                facts={"before": "2.35", "after": "2.50"},
            )
        )

        assert database.rows("SELECT * FROM audit_entry") == [
            {
                "id": 1,
                "at": clock.now(),
                "actor_kind": "staff",
                "actor_id": 7,
                "actor_name": "李工",
                "action": "price_set",
                "subject_type": "fee_item",
                "subject_id": 3,
                "community_id": community.id,
                "facts": {"before": "2.35", "after": "2.50"},
                "request_id": "req-1",
            }
        ]

    def test_phones_that_people_typed_are_masked_before_they_are_kept(self, unit_of_work, database):
        unit_of_work.run(
            lambda tx: record(
                tx,
                system_actor("测试"),
                "owner_changed",
                subject_type="owner",
                subject_id=None,
                facts={
                    "before": {"note": "女儿 138-1234-5678", "name": "13812345678"},
                    "after": None,
                    "reason": "来电 13812345678，+86 139 1234 5678，表号 1381234567",
                },
            )
        )

        assert database.value("SELECT facts FROM audit_entry") == {
            "before": {"note": "女儿 138****5678", "name": "13812345678"},
            "after": None,
            "reason": "来电 138****5678，+86 139****5678，表号 1381234567",
        }

    def test_without_facts_it_is_an_empty_object(self, unit_of_work, database):
        unit_of_work.run(
            lambda tx: record(
                tx, system_actor("测试"), "signed_in", subject_type="nothing", subject_id=None
            )
        )

        assert database.value("SELECT facts FROM audit_entry") == {}
