"""The statement of a house says what the ledger says, on any day."""

import io
from datetime import date, datetime, timedelta

import pytest
from python_calamine import CalamineWorkbook

from domain.actors import operator
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import SHANGHAI
from models import Allocation, Payment
from services.payments.money_in import MoneyIn
from services.reports.tables import FileForm
from services.statement_accounts import AccountKind, EntryKind
from services.statement_pages import Statement, as_page, as_sheets
from tests import factories
from tests.histories import BEGAN, History


@pytest.fixture
def labels(database):
    """How the houses of a history are called, by id."""

    def labels():
        rows = database.rows(
            "SELECT house.id, name || unit_no || '单元' || room_no AS label"
            " FROM house JOIN building ON building.id = building_id"
        )
        return {row["id"]: row["label"] for row in rows}

    return labels


@pytest.fixture
def show(services):
    def show(community_id, house, from_on, until_on, actor=None):
        return services.statements.show(
            actor=actor or operator(),
            community_id=community_id,
            house=house,
            from_on=from_on,
            until_on=until_on,
        )

    return show


def balances(statement):
    """What each account closes with, by its name; deposits of one name together."""
    found = {}
    for account in statement.accounts:
        found[account.name] = found.get(account.name, 0) + account.closing_fen
    return {name: fen for name, fen in found.items() if fen or name == "应缴费用"}


def openings(statement):
    found = {}
    for account in statement.accounts:
        found[account.name] = found.get(account.name, 0) + account.opening_fen
    return {name: fen for name, fen in found.items() if fen or name == "应缴费用"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
class TestAgainstTheLedger:
    def test_closes_today_with_what_the_ledger_holds(self, services, database, show, labels, seed):
        history = History(services, database, seed)
        history.live(90)

        for house_id, house in labels().items():
            today = history.today
            statement = show(history.community_id, house, today - timedelta(days=30), today)
            owed_fen = database.value(
                "SELECT coalesce(sum(amount_fen - paid_fen), 0)::bigint FROM bill"
                " WHERE house_id = :id AND state IN ('published', 'partially_paid')",
                id=house_id,
            )
            late_fen = database.value(
                "SELECT coalesce(sum(greatest(0, frozen_fen - fee.paid_fen - waived_fen)), 0)"
                "::bigint FROM bill_late_fee fee JOIN bill ON bill.id = fee.bill_id"
                " WHERE house_id = :id",
                id=house_id,
            )
            prepaid_fen = database.value(
                "SELECT coalesce(sum(balance_fen), 0)::bigint FROM prepaid_account"
                " WHERE house_id = :id",
                id=house_id,
            )
            deposit_fen = database.value(
                "SELECT coalesce(sum(amount_fen - deducted_fen - returned_fen), 0)::bigint"
                " FROM deposit WHERE house_id = :id",
                id=house_id,
            )
            closing = dict.fromkeys(AccountKind, 0)
            for account in statement.accounts:
                closing[account.kind] += account.closing_fen
            assert closing == {
                AccountKind.BILLS: owed_fen + late_fen,
                AccountKind.PREPAID: prepaid_fen,
                AccountKind.DEPOSIT: deposit_fen,
            }

    def test_says_later_of_a_day_what_it_said_then(self, services, database, show, labels, seed):
        history = History(services, database, seed)
        houses = labels().values()
        then = {}

        def look():
            day = history.today
            for house in houses:
                then[house, day] = balances(show(history.community_id, house, BEGAN, day))

        history.live(60, at_day_end=look)
        history.clock.advance(days=1)

        assert len(then) > 50
        for (house, day), closed in then.items():
            upto = show(history.community_id, house, BEGAN, day)
            after = show(history.community_id, house, day + timedelta(days=1), history.today)
            whole = show(history.community_id, house, BEGAN, history.today)
            assert balances(upto) == closed, (house, day)
            assert openings(after) == closed, (house, day)
            assert balances(after) == balances(whole)
            bills = [part.accounts[0].entries for part in (upto, after, whole)]
            assert [(one.on, one.number, one.amount_fen) for one in bills[0] + bills[1]] == [
                (one.on, one.number, one.amount_fen) for one in bills[2]
            ]

    def test_every_balance_is_the_one_before_plus_the_move(
        self, services, database, show, labels, seed
    ):
        history = History(services, database, seed)
        history.live(60)

        for house in labels().values():
            for account in show(history.community_id, house, BEGAN, history.today).accounts:
                balance_fen = account.opening_fen
                for entry in account.entries:
                    balance_fen += entry.amount_fen
                    assert entry.balance_fen == balance_fen
                assert account.closing_fen == balance_fen
                assert account.opening_fen + account.added_fen - account.taken_fen == balance_fen


@pytest.fixture
def scene(services, database):
    """A house with a paid and an open bill; today is 24 November 2026."""

    class Scene:
        clock = services.clock

    services.clock.set(datetime(2026, 11, 24, 12, tzinfo=SHANGHAI))
    with database.session() as session:
        community = factories.make_community(session, name="翠湖花园")
        building = factories.make_building(session, community=community, name="1栋")
        house = factories.make_house(session, building=building, room_no="101")
        owner = factories.make_owner(session, house=house)
        account = factories.make_account(session, owner=owner, houses=[house])
        Scene.community_id, Scene.house_id = community.id, house.id
        Scene.owner = factories.owner(account)
        Scene.cashier = factories.staff(session, "cashier")
        published_at = datetime(2026, 10, 31, 16, tzinfo=factories.UTC)
        Scene.bill_no = factories.make_bill(
            session, house=house, lines=(21_002,), published_at=published_at
        ).bill_no
        factories.make_bill(
            session, house=house, lines=(700,), state="pending_review", published_at=None
        )
    return Scene


class TestEntries:
    def test_a_bill_stands_on_the_local_day_of_its_publication(self, show, scene):
        day = date(2026, 11, 1)

        before = show(scene.community_id, "1栋1单元101", day, day)
        after = show(scene.community_id, "1栋1单元101", day + timedelta(days=1), day.replace(day=2))

        (entry,) = before.accounts[0].entries
        assert (entry.on, entry.kind, entry.amount_fen) == (day, EntryKind.BILL, 21_002)
        assert entry.words == "物业费 2026-10"
        assert entry.number == scene.bill_no
        assert after.accounts[0].opening_fen == 21_002
        assert after.accounts[0].entries == ()

    def test_a_payment_names_its_receipt_and_channel(self, services, show, scene):
        receipt = services.counter.take(
            actor=scene.cashier,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(channel="cash", amount_fen=30_000, payer_name="张三"),
            client_key="counter-0001",
        )
        day = date(2026, 11, 24)

        owed, prepaid = show(scene.community_id, "1栋1单元101", day, day).accounts

        (paid,) = owed.entries
        assert paid.words == "缴费（现金）：物业费 2026-10"
        assert (paid.number, paid.amount_fen, paid.balance_fen) == (
            receipt.receipt_no,
            -21_002,
            0,
        )
        assert prepaid.name == "预存（通用）"
        (topup,) = prepaid.entries
        assert topup.words.startswith("预存（现金）")
        assert topup.amount_fen == prepaid.closing_fen == 8_998

    @pytest.mark.breaks_promises
    def test_money_taken_back_is_owed_again_from_that_day(self, database, show, scene):
        with database.session() as session:
            payment = factories.add(
                session,
                _payment(scene, amount_fen=5_000, paid_at=datetime(2026, 11, 5, tzinfo=SHANGHAI)),
            )
            for fen, day in ((5_000, 5), (-2_000, 9)):
                session.add(_allocation(payment, fen, datetime(2026, 11, day, 1, tzinfo=SHANGHAI)))

        entries = (
            show(scene.community_id, "1栋1单元101", date(2026, 11, 2), date(2026, 11, 24))
            .accounts[0]
            .entries
        )

        assert [(one.on.day, one.kind, one.amount_fen, one.balance_fen) for one in entries] == [
            (5, EntryKind.PAYMENT, -5_000, 16_002),
            (9, EntryKind.REVERSAL, 2_000, 18_002),
        ]


class TestWho:
    def test_an_owner_sees_their_house(self, services, scene):
        statement = services.statements.show_own(
            actor=scene.owner,
            house_id=scene.house_id,
            from_on=date(2026, 11, 1),
            until_on=date(2026, 11, 24),
        )

        assert statement.house == "1栋1单元101"
        assert statement.accounts[0].closing_fen == 21_002

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE house_binding SET status = 'revoked', ended_at = now()",
            "UPDATE house_binding SET role = 'tenant'",
        ],
    )
    def test_whoever_may_not_see_bills_sees_no_statement(self, services, database, scene, change):
        database.do(change)

        for form in FileForm:
            with pytest.raises(NotFound):
                services.statements.write_own(
                    actor=scene.owner,
                    house_id=scene.house_id,
                    from_on=date(2026, 11, 1),
                    until_on=date(2026, 11, 24),
                    form=form,
                )

    def test_staff_need_the_permission(self, services, show, scene):
        actor = factories.actor_without("view_house_money")

        with pytest.raises(NotAllowed):
            show(scene.community_id, "1栋1单元101", date(2026, 1, 1), date(2026, 1, 2), actor)

    def test_another_communitys_house_is_not_there(self, show, scene):
        with pytest.raises(NotFound):
            show(scene.community_id + 1, "1栋1单元101", date(2026, 1, 1), date(2026, 1, 2))

    @pytest.mark.parametrize(
        ("from_on", "until_on"),
        [
            (date(2026, 11, 24), date(2026, 11, 23)),
            (date(2026, 11, 24), date(2026, 11, 25)),
            (date(2023, 11, 24), date(2026, 11, 24)),
            (date(1999, 12, 31), date(2000, 1, 1)),
        ],
    )
    def test_which_days_cannot_be_asked_for(self, show, scene, from_on, until_on):
        with pytest.raises(InvalidInput):
            show(scene.community_id, "1栋1单元101", from_on, until_on)

    def test_three_years_can(self, show, scene):
        assert show(scene.community_id, "1栋1单元101", date(2023, 11, 25), date(2026, 11, 24))


class TestFiles:
    def test_the_workbook_says_what_the_screen_says(self, services, database, show, labels):
        history = History(services, database, 21)
        history.live(60)
        for house in labels().values():
            named = {"house": house, "from_on": BEGAN, "until_on": history.today}
            file = services.statements.write(
                actor=operator(),
                community_id=history.community_id,
                form=FileForm.XLSX,
                **named,
            )
            workbook = CalamineWorkbook.from_filelike(io.BytesIO(file.content))
            statement = show(history.community_id, *named.values())
            documents = as_sheets(statement)
            assert len(workbook.sheet_names) == len(documents)
            for name, document, account in zip(
                workbook.sheet_names, documents, statement.accounts, strict=True
            ):
                cells = workbook.get_sheet_by_name(name).to_python()
                last = cells.index(next(row for row in cells if "期末余额" in str(row[1])))
                assert f"{cells[last][5]:.2f}" == f"{account.closing_fen / 100:.2f}"
                assert len(document.rows) == len(account.entries) + 1
            assert file.name == f"对账单_翠湖花园_{house}_{BEGAN}_{history.today}.xlsx"

    def test_the_page_ends_with_a_total_of_each_kind(self, services, database, show, labels):
        history = History(services, database, 22)
        history.live(60)
        for _ in range(4):
            history.deposit()
        statements = [
            show(history.community_id, house, BEGAN, history.today) for house in labels().values()
        ]

        for statement in statements:
            document = as_page(statement)
            held = [one for one in statement.accounts if one.kind is not AccountKind.BILLS]
            assert document.totals[0][-1] == statement.accounts[0].closing_fen
            assert sum(row[-1] for row in document.totals[1:]) == sum(
                one.closing_fen for one in held
            )
            assert all(len(row) == len(document.columns) for row in document.rows)
        assert any(len(as_page(statement).totals) == 3 for statement in statements)


def _payment(scene, **changes):
    values = {
        "community_id": scene.community_id,
        "channel": "wechat",
        "mchid": "1900000001",
        "provider_transaction_id": "4200000001",
        "out_trade_no": "P20261105",
        "booked_at": changes["paid_at"],
    }
    return Payment(**(values | changes))


def _allocation(payment, amount_fen, created_at):
    return Allocation(
        payment_id=payment.id,
        bill_id=1,
        line_no=1,
        kind="principal",
        amount_fen=amount_fen,
        created_at=created_at,
    )


def test_a_file_name_holds_no_sign_that_a_file_system_refuses():
    refused = [*'/\\:*?"<>|=', *map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u202e"]
    statement = Statement(
        house_id=1,
        community="翠湖花园" + "".join(refused),
        house="=1栋/1单元101",
        from_on=date(2026, 1, 1),
        until_on=date(2026, 1, 31),
        made_at=BEGAN,
        accounts=(),
    )

    stem = statement.file_stem

    assert stem.startswith("对账单_翠湖花园-")
    assert stem.endswith("_-1栋-1单元101_2026-01-01_2026-01-31")
    assert not set(refused) & set(stem)
