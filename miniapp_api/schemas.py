"""The shapes that go in and out of the API; money is whole fen, instants are UTC, days local."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import Schema, fields

from domain.bill_states import OWNER_SEES
from domain.passwords import LENGTH_CAP
from domain.payment_states import OrderState, PayWay
from domain.prepaid import PrepaidMove
from miniapp_api.fields import Count, Day, Flag, Input, ListOf, NestedIn, OneOf, RowId, Words
from services.bills.own_bills import BillFilter
from services.payments.orders import BILLS_CAP, TOPUP_CAP_FEN

PAGE = 20
PAGE_CAP = 100
READINGS_CAP = 500

_WECHAT_CODE = r"^[A-Za-z0-9_\-=+/.]+$"


class PhoneIn(Input):
    """A phone that wants a code."""

    phone = Words(limit=20, required=True, metadata={"example": "19900000003"})


class PhoneCodeSent(Schema):
    """The same for every phone."""

    resend_after_s = fields.Integer(required=True)
    expires_in_s = fields.Integer(required=True)


class PhoneCodeIn(PhoneIn):
    """Signing in by phone code; with ``wechat_code`` this WeChat stays bound."""

    code = Words(limit=6, pattern=r"^[0-9]{6}$", required=True)
    wechat_code = Words(limit=128, pattern=_WECHAT_CODE)


class PasswordIn(Input):
    """Signing in by login name and password, exactly as they were handed out or chosen."""

    login_name = Words(limit=40, required=True)
    password = Words(limit=LENGTH_CAP, required=True)


class NewPasswordIn(Input):
    """A new password, with the one of before."""

    password = Words(limit=LENGTH_CAP, required=True)
    new_password = Words(limit=LENGTH_CAP, required=True)


class ResetByCodeIn(PhoneIn):
    """A new password, by the code that was sent."""

    code = Words(limit=6, pattern=r"^[0-9]{6}$", required=True)
    new_password = Words(limit=LENGTH_CAP, required=True)


class WechatCodeIn(Input):
    """Signing in by a WeChat that is bound already."""

    wechat_code = Words(limit=128, pattern=_WECHAT_CODE, required=True)


class WechatPhoneIn(WechatCodeIn):
    """Signing in by the one-tap phone number."""

    phone_code = Words(limit=128, pattern=_WECHAT_CODE, required=True)


class SessionOut(Schema):
    """A new session; the token is told only here."""

    token = fields.String(required=True)
    expires_at = fields.AwareDateTime(required=True)
    phone_masked = fields.String(required=True)
    house_count = fields.Integer(required=True)
    must_change_password = fields.Boolean(required=True)
    consent_needed = fields.List(fields.String(), required=True)


class HouseOut(Schema):
    """A house of the signed-in owner."""

    id = fields.Integer(required=True)
    community_id = fields.Integer(required=True)
    community = fields.String(required=True)
    label = fields.String(required=True)
    role = fields.String(required=True)


class HousesOut(Schema):
    """All of them."""

    items = fields.List(fields.Nested(HouseOut), required=True)


class PageIn(Input):
    """Keyset paging, newest first."""

    before_id = RowId(strict=False, load_default=None)
    limit = Count(most=PAGE_CAP, load_default=PAGE)


class BillQuery(PageIn):
    """Which bills."""

    which = OneOf([str(word) for word in BillFilter], load_default=str(BillFilter.ALL))
    house_id = RowId(strict=False, load_default=None)


class BillOut(Schema):
    """One bill. ``period_until`` is the first day after the period.

    ``outstanding_fen`` is what paying it today costs: ``late_fee_fen`` is in it, and
    ``discount_fen`` is off for paying early.
    """

    id = fields.Integer(required=True)
    bill_no = fields.String(required=True)
    house_id = fields.Integer(required=True)
    house = fields.String(required=True)
    item = fields.String(required=True)
    period_from = fields.Date(required=True, attribute="period.starts_on")
    period_until = fields.Date(required=True, attribute="period.ends_before")
    due_date = fields.Date(required=True)
    state = fields.String(
        required=True, metadata={"enum": sorted(str(state) for state in OWNER_SEES)}
    )
    amount_fen = fields.Integer(required=True)
    paid_fen = fields.Integer(required=True)
    late_fee_fen = fields.Integer(required=True)
    discount_fen = fields.Integer(required=True)
    outstanding_fen = fields.Integer(required=True)
    is_overdue = fields.Boolean(required=True)
    is_in_payment = fields.Boolean(required=True)


class BillsOut(Schema):
    """A page; ``next_before_id`` is null on the last one."""

    items = fields.List(fields.Nested(BillOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class LineOut(Schema):
    """One line of a bill and why it is what it is."""

    line_no = fields.Integer(required=True)
    amount_fen = fields.Integer(required=True)
    explanation = fields.String(required=True)
    trace = fields.Dict(required=True)


class LateFeeSegmentOut(Schema):
    """Days with one principal and one rate; both ends count."""

    from_on = fields.Date(required=True)
    until_on = fields.Date(required=True)
    days = fields.Integer(required=True)
    principal_fen = fields.Integer(required=True)
    daily_rate = fields.Decimal(required=True, as_string=True)


class LateFeeOut(Schema):
    """A bill's late fee as of today; ``next_day_open_fen`` is what will be open tomorrow."""

    as_of = fields.Date(required=True)
    total_fen = fields.Integer(required=True)
    paid_fen = fields.Integer(required=True)
    waived_fen = fields.Integer(required=True)
    open_fen = fields.Integer(required=True)
    next_day_open_fen = fields.Integer(required=True)
    is_frozen = fields.Boolean(required=True)
    segments = fields.List(fields.Nested(LateFeeSegmentOut), required=True)
    explanation = fields.String(required=True)


class BillDetailOut(Schema):
    """A bill, its lines, and its late fee."""

    bill = fields.Nested(BillOut, required=True)
    lines = fields.List(fields.Nested(LineOut), required=True)
    late_fee = fields.Nested(LateFeeOut, required=True)


class OutstandingOut(Schema):
    """What paying everything today costs over all own houses, late fees and discounts counted."""

    bill_count = fields.Integer(required=True)
    amount_fen = fields.Integer(required=True)
    late_fee_fen = fields.Integer(required=True)
    discount_fen = fields.Integer(required=True)


class TopUpIn(Input):
    """What the payer gives beyond bills, to the prepaid account of one of their houses."""

    house_id = RowId(required=True)
    amount_fen = Count(most=TOPUP_CAP_FEN, strict=True, required=True, metadata={"example": 50000})


class PaymentIn(Input):
    """The bills to pay, never their amount: that comes from the bills; and a top-up, if any."""

    bill_ids = ListOf(RowId(), most=BILLS_CAP, metadata={"example": [5]})
    topup = NestedIn(TopUpIn)
    way = Words(
        limit=20,
        pattern="^(" + "|".join(PayWay) + ")$",
        load_default=PayWay.MINIAPP.value,
        metadata={"enum": [str(way) for way in PayWay], "description": "支付方式"},
    )


class IdempotencyHeader(Schema):
    """The client makes the key and keeps it until the payment has ended."""

    idempotency_key = Words(
        limit=64,
        pattern=r"^[A-Za-z0-9_-]{8,64}$",
        required=True,
        data_key="Idempotency-Key",
        metadata={
            "example": "try-0001-aaaa",
            "description": "由客户端生成，8 至 64 个字母、数字、- 或 _；同一笔支付重试时不变",
        },
    )


class TicketOut(Schema):
    """What goes to ``wx.requestPayment`` as it is."""

    appid = fields.String(required=True, data_key="appId")
    time_stamp = fields.String(required=True, data_key="timeStamp")
    nonce_str = fields.String(required=True, data_key="nonceStr")
    package = fields.String(required=True)
    sign_type = fields.String(required=True, data_key="signType")
    pay_sign = fields.String(required=True, data_key="paySign")


class PaymentOut(Schema):
    """A payment; ``receipt_no`` is set once the money was booked.

    ``amount_fen`` has the late fees and the top-up in it, and the discounts off.
    """

    id = fields.Integer(required=True)
    out_trade_no = fields.String(required=True)
    way = fields.String(required=True, metadata={"enum": [str(way) for way in PayWay]})
    state = fields.String(required=True, metadata={"enum": [str(state) for state in OrderState]})
    progress = fields.String(required=True, metadata={"example": "微信已扣款，正在入账"})
    amount_fen = fields.Integer(required=True)
    late_fee_fen = fields.Integer(required=True)
    discount_fen = fields.Integer(required=True)
    topup_fen = fields.Integer(required=True)
    description = fields.String(required=True)
    bill_ids = fields.List(fields.Integer(), required=True)
    created_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    paid_at = fields.AwareDateTime(required=True, allow_none=True)
    refunded_fen = fields.Integer(required=True)
    receipt_no = fields.String(required=True, allow_none=True)


class StartedPaymentOut(Schema):
    """A payment and, while it waits for money, what to pay it with: one of the three."""

    payment = fields.Nested(PaymentOut, required=True)
    ticket = fields.Nested(TicketOut, required=True, allow_none=True)
    code_url = fields.String(required=True, metadata={"description": "二维码内容，供扫码支付"})
    page_url = fields.String(required=True, metadata={"description": "要打开的支付页面"})


class PaymentsOut(Schema):
    """A page; ``next_before_id`` is null on the last one."""

    items = fields.List(fields.Nested(PaymentOut), required=True)
    next_before_id = fields.Integer(required=True, allow_none=True)


class PrepaidEntryOut(Schema):
    """One move of a prepaid account; below zero it took away."""

    id = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    kind = fields.String(required=True, metadata={"enum": [str(kind) for kind in PrepaidMove]})
    kind_shown = fields.String(required=True)
    amount_fen = fields.Integer(required=True)
    balance_fen = fields.Integer(required=True)
    note = fields.String(required=True)


class PrepaidAccountOut(Schema):
    """What a house has paid ahead, for one item or (``fee_item_id`` null) for all."""

    id = fields.Integer(required=True)
    house_id = fields.Integer(required=True)
    house = fields.String(required=True)
    fee_item_id = fields.Integer(required=True, allow_none=True)
    item = fields.String(required=True)
    balance_fen = fields.Integer(required=True)
    entries = fields.List(fields.Nested(PrepaidEntryOut), required=True)


class PrepaidOut(Schema):
    """All accounts of own houses, each with its last entries, newest first."""

    items = fields.List(fields.Nested(PrepaidAccountOut), required=True)


class ReceiptMarkOut(Schema):
    """Money of a receipt went back: all that was left (``void``) or some (``refunded``)."""

    kind = fields.String(required=True, metadata={"enum": ["void", "refunded"]})
    shown = fields.String(required=True, metadata={"example": "已退款 ¥12.00"})
    amount_fen = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)


class ReceiptOut(Schema):
    """A receipt as it was issued, and what became of its money since."""

    receipt_no = fields.String(required=True)
    issued_at = fields.AwareDateTime(required=True)
    amount_fen = fields.Integer(required=True)
    payment_id = fields.Integer(required=True)
    snapshot = fields.Dict(required=True)
    marks = fields.List(fields.Nested(ReceiptMarkOut), required=True)


class ReadingIn(Input):
    """What somebody read off a meter; ``reading`` is a text, so that no digit is lost."""

    meter_no = Words(limit=40, required=True, metadata={"example": "W011单0101"})
    read_on = Day(required=True)
    reading = Words(
        limit=15,
        pattern=r"^[0-9]{1,10}(\.[0-9]{1,4})?$",
        required=True,
        metadata={"example": "603.35"},
    )
    is_rollover = Flag(load_default=False)


class ReadingsIn(Input):
    """Readings of one community's meters; the same list may be sent again."""

    community = Words(limit=50, required=True, metadata={"example": "CH"})
    readings = ListOf(NestedIn(ReadingIn), most=READINGS_CAP, required=True)


class ReadingWarningOut(Schema):
    """A reading that was taken and is worth a look; ``row`` counts from 1."""

    row = fields.Integer(required=True)
    meter_no = fields.String(required=True)
    read_on = fields.Date(required=True)
    why = fields.String(required=True)


class ReadingProblemOut(Schema):
    """A reading that was left out; ``row`` counts from 1."""

    row = fields.Integer(required=True)
    meter_no = fields.String(required=True)
    why = fields.String(required=True)


class EnteredReadingsOut(Schema):
    """What became of readings: each is taken, was there already, or is a problem."""

    taken = fields.Integer(required=True)
    unchanged = fields.Integer(required=True)
    warnings = fields.List(fields.Nested(ReadingWarningOut), required=True)
    problems = fields.List(fields.Nested(ReadingProblemOut), required=True)


class ErrorBody(Schema):
    """What is inside ``error``."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    fields_: ClassVar[fields.Dict] = fields.Dict(
        keys=fields.String(), values=fields.List(fields.String()), data_key="fields", required=True
    )
    request_id = fields.String(required=True)


class ErrorOut(Schema):
    """The one shape of errors."""

    error = fields.Nested(ErrorBody, required=True)
