from datetime import UTC, datetime

import pytest

from domain.acts import ACT_SHOWN
from domain.change_sentences import say_act, say_changes, say_value

AT = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)
"""Half past midnight of the 23rd in Shanghai."""


def say(action="house_corrected", subject="3-1-502", names=None, **facts):
    return say_act(
        at=AT, actor_name="李工", action=action, subject=subject, facts=facts, names=names
    )


class TestSentence:
    def test_of_the_issue(self):
        assert (
            say(
                before={"building_area": "89.3700"},
                after={"building_area": "92.1000"},
                reason="房产证更正",
            )
            == "2026-11-23 李工 将 3-1-502 建筑面积 89.37 → 92.10，原因：房产证更正"
        )

    def test_what_did_not_change_is_not_told(self):
        assert "收费系数" not in say(
            before={"billing_area": "89", "fee_coefficient": "1.0000"},
            after={"billing_area": "92", "fee_coefficient": "1"},
        )

    def test_a_row_that_came_is_told_with_its_values(self):
        told = say(
            "person_added",
            names={2: "王二"},
            before=None,
            after={"owner_id": 2, "role": "tenant", "person_until": "2027-01-01", "may_pay": None},
            reason="出租",
        )

        assert told == (
            "2026-11-23 李工 登记了 3-1-502 的住户：身份 租户，结束日期 2027-01-01，"
            "住户 王二，原因：出租"
        )

    def test_a_row_that_went_too(self):
        assert "：身份 家人" in say("person_removed", before={"role": "family"}, after=None)

    def test_money_is_told_in_yuan(self):
        assert say("money_taken", "款项 C1", amount_fen=123456, channel="cash").endswith(
            "收款（款项 C1），金额 1,234.56 元，方式 现金"
        )

    def test_from_one_word_to_another(self):
        told = say("staff_role_changed", "王芳", before="cashier", after="finance")

        assert told == "2026-11-23 李工 将员工 王芳 的角色 收款员 → 财务"

    def test_what_only_machines_read_is_left_out(self):
        told = say("batch_approved", "账单批次 2026-10", sha256="ab12", bill_count=3, house_ids=[1])

        assert told == "2026-11-23 李工 复核通过了账单批次 2026-10，账单份数 3，房屋 1"

    @pytest.mark.parametrize(
        ("after", "told"),
        [
            ({"phones": ["138****1234", "139****0001"]}, "：号码 138****1234、139****0001"),
            (None, ""),
        ],
    )
    def test_a_look_at_full_phones_of_now_and_of_before_they_were_named(self, after, told):
        said = say("owner_phone_revealed", "王强", before=None, after=after, reason="来电")

        assert said == f"2026-11-23 李工 查看了业主 王强 的完整手机号{told}，原因：来电"

    def test_large_money_is_exact(self):
        assert say_value("amount_fen", 90_071_992_547_409_931) == "900,719,925,474,099.31 元"

    def test_a_phone_that_somebody_typed_is_masked(self):
        assert say(reason="来电 138 1234 5678").endswith("，原因：来电 138****5678")

    def test_an_act_that_we_no_longer_know(self):
        assert say("did_x", "房屋 1") == "2026-11-23 李工 办理了 did_x（房屋 1）"

    @pytest.mark.parametrize("action", sorted(ACT_SHOWN))
    @pytest.mark.parametrize(
        "facts",
        [
            {},
            {"before": None, "after": None},
            {"before": {"x": 1}, "after": "y"},
            {"before": ["a"], "after": {}},
            {"amount_fen": "1", "reason": 5, "channel": ["x"], "note": None},
        ],
    )
    def test_no_facts_break_one(self, action, facts):
        told = say(action, **facts)

        assert told.startswith("2026-11-23 李工 ")
        assert "{" not in told


class TestValue:
    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("building_area", "89.3700", "89.37"),
            ("inner_area", "70", "70.00"),
            ("built_area", "120000.1234", "120000.1234"),
            ("fee_coefficient", "1.5000", "1.5"),
            ("amount_fen", 1, "0.01 元"),
            ("amount_fen", -100, "-1.00 元"),
            ("state", "vacant", "空置"),
            ("right_kind", "rented", "租赁"),
            ("by", "mail", "邮件"),
            ("role", "title_holder", "产权人"),
            ("may_pay", True, "是"),
            ("may_pay", False, "否"),
            ("note", "", "空"),
            ("owners", ["王小明", "赵买"], "王小明、赵买"),
            ("handover_date", "2020-06-01", "2020-06-01"),
            ("phone", "138****1234", "138****1234"),
        ],
    )
    def test_is_told_as_people_say_it(self, field, value, words):
        assert say_value(field, value) == words

    def test_ids_are_nothing_to_tell(self):
        assert list(say_changes({"before": {"house_id": 1}, "after": {"house_id": 2}})) == []
