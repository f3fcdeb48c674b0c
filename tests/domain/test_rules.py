import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.actors import (
    EVERYWHERE,
    ROLE_PERMISSIONS,
    Permission,
    Role,
    operator,
    owner_actor,
    staff_actor,
    system_actor,
    visitor,
)
from domain.approvals import (
    APPROVAL_LIMIT_FEN,
    APPROVAL_MOVES,
    APPROVAL_SHOWN,
    ApprovalKind,
    ApprovalState,
)
from domain.bill_states import (
    BATCH_MOVES,
    BATCH_SHOWN,
    BILL_MOVES,
    BatchCannotMove,
    BatchState,
    BillState,
    check_batch_move,
)
from domain.errors import NotAllowed
from domain.message_fields import fit_field
from domain.messages import MESSAGES, MessageKind
from domain.payment_states import OPEN_ORDERS, ORDER_MOVES, OrderState
from domain.phones import NotAPhone, mask_phone, normalise_phone


class TestStates:
    @pytest.mark.parametrize(
        ("states", "moves"),
        [
            (BatchState, BATCH_MOVES),
            (BillState, BILL_MOVES),
            (OrderState, ORDER_MOVES),
            (ApprovalState, APPROVAL_MOVES),
        ],
    )
    def test_every_state_has_its_row_and_no_move_leaves_them(self, states, moves):
        assert set(moves) == set(states)
        assert set().union(*moves.values()) <= set(states)

    @given(st.lists(st.sampled_from(BatchState), max_size=12))
    def test_no_path_leaves_the_table(self, wishes):
        state = BatchState.DRAFT
        for wish in wishes:
            if wish in BATCH_MOVES[state]:
                check_batch_move(state, wish)
                state = wish
            else:
                with pytest.raises(BatchCannotMove):
                    check_batch_move(state, wish)

    def test_a_refusal_says_both_states_in_chinese(self):
        with pytest.raises(BatchCannotMove, match=r"已发布.*已取消"):
            check_batch_move(BatchState.PUBLISHED, BatchState.CANCELLED)
        assert set(BATCH_SHOWN) == set(BatchState)

    def test_nothing_leaves_a_terminal_order_state(self):
        assert all(not ORDER_MOVES[state] for state in set(OrderState) - OPEN_ORDERS)


class TestApprovals:
    def test_a_decision_is_the_last_word(self):
        assert APPROVAL_MOVES[ApprovalState.APPROVED] == frozenset()
        assert APPROVAL_MOVES[ApprovalState.REJECTED] == frozenset()

    def test_every_kind_has_a_chinese_name(self):
        assert set(APPROVAL_SHOWN) == set(ApprovalKind)
        assert len(set(APPROVAL_SHOWN.values())) == len(ApprovalKind)

    def test_whoever_may_approve_has_a_limit_and_nobody_else(self):
        may = {
            role
            for role, permissions in ROLE_PERMISSIONS.items()
            if Permission.APPROVE_MONEY_OUT in permissions
        }

        assert set(APPROVAL_LIMIT_FEN) == may
        assert all(limit_fen > 0 for limit_fen in APPROVAL_LIMIT_FEN.values())

    def test_whoever_may_approve_may_ask_and_the_rest_is_not_implied(self):
        for role in APPROVAL_LIMIT_FEN:
            assert Permission.REQUEST_MONEY_OUT in ROLE_PERMISSIONS[role]
        assert Permission.APPROVE_MONEY_OUT not in ROLE_PERMISSIONS[Role.CASHIER]


class TestPhones:
    @pytest.mark.parametrize(
        "text",
        ["19900000001", "+8619900000001", "8619900000001", "199 0000 0001", "+86 199-0000-0001"],
    )
    def test_usual_forms_become_eleven_digits(self, text):
        assert normalise_phone(text) == "19900000001"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "1990000000",
            "12900000001",
            "１９９００００００01",
            "1.99E+10",
            "+85219900000001",
            None,
            7,
        ],
    )
    def test_the_rest_is_refused(self, text):
        with pytest.raises(NotAPhone):
            normalise_phone(text)

    def test_a_mask_keeps_seven_digits(self):
        assert mask_phone("19900000001") == "199****0001"
        assert mask_phone(None) == ""


MAY_VISIT = {
    Permission.SIGN_IN,
    Permission.PAY_AT_DOOR,
    Permission.VERIFY_RECEIPT,
    Permission.FOLLOW_FILE_LINKS,
    Permission.SCAN_EQUIPMENT,
}


class TestActors:
    @pytest.mark.parametrize("permission", Permission)
    def test_a_visitor_may_do_five_things(self, permission):
        if permission in MAY_VISIT:
            visitor().must(permission)
        else:
            with pytest.raises(NotAllowed):
                visitor().must(permission)

    def test_every_role_is_listed_and_no_staff_acts_as_owner_or_machine(self):
        assert set(ROLE_PERMISSIONS) == set(Role)
        for role in Role:
            may = staff_actor(staff_id=1, name="李工", role=role, scope=EVERYWHERE).permissions
            assert Permission.PAY_OWN_BILLS not in may
            assert Permission.RUN_PLATFORM_WORK not in may

    def test_only_an_owner_has_an_account(self):
        assert owner_actor(account_id=5).account_id == 5
        for actor in (visitor(), system_actor("sweep"), operator()):
            with pytest.raises(NotAllowed):
                _ = actor.account_id


class TestMessages:
    def test_every_kind_has_a_shape(self):
        assert set(MESSAGES) == set(MessageKind)

    @pytest.mark.parametrize(
        ("key", "value", "fitted"),
        [
            ("thing1", "长" * 21, "长" * 19 + "…"),
            ("thing1", "长" * 20, "长" * 20),
            ("thing1", "一\n二", "一 二"),
            ("thing1", "  ", "-"),
            ("amount3", "408.89", "¥408.89"),
            ("amount", "408.89", "408.89"),
            ("character_string4", "1" * 30, "1" * 30),
        ],
    )
    def test_fields_fit_the_platform(self, key, value, fitted):
        assert fit_field(key, value) == fitted
