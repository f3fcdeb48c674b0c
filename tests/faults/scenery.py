"""Many orders that wait for their money, written at once; the product would take minutes."""

from dataclasses import dataclass

from sqlalchemy import text

from tests import factories
from tests.world import merchant_of, miniapp_of

BILL_FEN = 12345


@dataclass(frozen=True)
class Awaiting:
    """An order of ours, and the channel's number of the money that will come for it."""

    id: int
    out_trade_no: str
    amount_fen: int
    mchid: str
    appid: str
    openid: str

    @property
    def transaction_id(self):
        return f"42{self.out_trade_no}"


_HOUSES = """
INSERT INTO house (community_id, building_id, unit_no, room_no, building_area, billing_area,
                   fee_coefficient, handover_date)
SELECT :community_id, :building_id, '1', 'R' || n, 89.37, 89.37, 1, DATE '2020-01-01'
  FROM generate_series(1, :count) n
RETURNING id
"""
_BILLS = """
INSERT INTO bill (community_id, batch_id, house_id, fee_item_id, bill_no, period_from, period_until,
                  issue_date, due_date, state, amount_fen, published_at)
SELECT :community_id, :batch_id, id, :item_id, 'B' || id, DATE '2026-10-01', DATE '2026-11-01',
       DATE '2026-11-01', DATE '2026-12-01', 'published', :amount_fen, now()
  FROM house WHERE building_id = :building_id AND room_no LIKE 'R%'
"""
_LINES = """
INSERT INTO bill_line (bill_id, line_no, amount_fen, trace)
SELECT bill.id, 1, bill.amount_fen, line.trace
  FROM bill, (SELECT trace FROM bill_line LIMIT 1) line
 WHERE bill.batch_id = :batch_id AND NOT EXISTS
       (SELECT FROM bill_line other WHERE other.bill_id = bill.id)
"""
_BATCH = """
UPDATE bill_batch SET bill_count = n, amount_fen = fen
  FROM (SELECT count(*) n, sum(amount_fen) fen FROM bill WHERE batch_id = :batch_id) sums
 WHERE id = :batch_id
"""
_ORDERS = """
INSERT INTO payment_order (community_id, account_id, channel, way, mchid, appid, openid,
                           out_trade_no, description, state, amount_fen, created_at, expires_at,
                           query_at)
SELECT :community_id, :account_id, 'wechat', 'miniapp', :mchid, :appid, :openid,
       :prefix || lpad(n::text, 12, '0'), '物业费', :state, :amount_fen, now(),
       now() + interval '1 day', now() + interval '1 day'
  FROM generate_series(1, :count) n
RETURNING id, out_trade_no, amount_fen, mchid, appid, openid
"""


class Scenery:
    """A community with one payer, and as many bills and orders as are asked for."""

    def __init__(self, database, services):
        self.database = database
        self._mchid = merchant_of(services)
        self._appid = miniapp_of(services)
        with database.session() as session:
            building = factories.make_building(session)
            house = factories.make_house(session, building=building)
            owner = factories.make_owner(session, house=house)
            account = factories.make_account(session, owner=owner, houses=[house])
            identity = factories.make_identity(session, account=account, appid=self._appid)
            bill = factories.make_bill(session, house=house)
            self.house_id = house.id
            self.building_id = building.id
            self.community_id = house.community_id
            self.item_id, self.batch_id = bill.fee_item_id, bill.batch_id
            self.account_id, self.openid = account.id, identity.openid
            self._owner_id = owner.id
            self.token = factories.make_session(session, account=account)
            self.actor = factories.owner(account)

    def bills(self, count, *, amount_fen=BILL_FEN):
        """Publish one bill in each of so many new houses and give their ids."""
        shared = {"community_id": self.community_id, "building_id": self.building_id}
        with self.database.engine.begin() as connection:
            connection.execute(text(_HOUSES), shared | {"count": count})
            values = shared | {"batch_id": self.batch_id, "item_id": self.item_id}
            connection.execute(text(_BILLS), values | {"amount_fen": amount_fen})
            connection.execute(text(_LINES), {"batch_id": self.batch_id})
            connection.execute(text(_BATCH), {"batch_id": self.batch_id})
            ids = connection.execute(
                text("SELECT id FROM bill WHERE bill_no LIKE 'B%' ORDER BY id")
            )
            return list(ids.scalars())

    def bind_all(self):
        """Let the payer see and pay the bills of all houses."""
        self.database.do(
            "INSERT INTO house_binding (account_id, house_id, owner_id, role, status, created_at)"
            " SELECT :account_id, id, :owner_id, 'owner', 'active', now() FROM house"
            "  WHERE room_no LIKE 'R%'",
            account_id=self.account_id,
            owner_id=self._owner_id,
        )

    def orders(self, parts, *, state="prepaying", prefix="PF"):
        """Open one order for each list of bill ids; they hold their bills unless they are closed.

        `parts` is a list of lists of (bill id, fen).
        """
        values = {
            "community_id": self.community_id,
            "account_id": self.account_id,
            "mchid": self._mchid,
            "appid": self._appid,
            "openid": self.openid,
            "prefix": prefix,
            "state": state,
            "amount_fen": sum(fen for _, fen in parts[0]),
            "count": len(parts),
        }
        with self.database.engine.begin() as connection:
            rows = sorted(connection.execute(text(_ORDERS), values).all())
            meant = [
                {"order_id": row.id, "bill_id": bill_id, "fen": fen}
                for row, bills in zip(rows, parts, strict=True)
                for bill_id, fen in bills
            ]
            connection.execute(
                text(
                    "INSERT INTO payment_order_bill (order_id, bill_id, amount_fen)"
                    " VALUES (:order_id, :bill_id, :fen)"
                ),
                meant,
            )
            if state == "prepaying":
                connection.execute(
                    text("INSERT INTO bill_lock (bill_id, order_id) VALUES (:bill_id, :order_id)"),
                    meant,
                )
        return [Awaiting(*row) for row in rows]
