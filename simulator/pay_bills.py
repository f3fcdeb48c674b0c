"""WeChat Pay's bill endpoints: ask for a day's bill, then fetch the file.

Source: https://pay.weixin.qq.com/doc/v3/merchant/4012556654 and 4013071254 (when to ask again)
"""

import gzip
import hashlib
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from simulator import bill_files, bill_sheets
from simulator.bill_files import Sheet
from simulator.bill_sheets import Day
from simulator.calls import this_call
from simulator.clock import BEIJING
from simulator.credentials import Merchant
from simulator.pay_orders import merchant_call
from simulator.pay_wire import Refused, authenticate, bad_parameter, json_answer
from simulator.state import BillLink
from simulator.world import World, the_world

LINK_S = 300
READY_AFTER_S = 10 * 3600
KEPT_LINK_S = 3600
ACCOUNTS = ("BASIC", "OPERATION", "FEES")
ROW_FAULTS = (*bill_files.SPOILERS, "extra_row")
REFUSALS = ("STATEMENT_CREATING", "NO_STATEMENT_EXIST")
FAULTS = (*ROW_FAULTS, "wrong_hash", "bom", "crlf", *REFUSALS)

bp = Blueprint("pay_bills", __name__, url_prefix="/pay/v3")


def _creating() -> Refused:
    return Refused(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")


def _no_statement() -> Refused:
    return Refused(400, "NO_STATEMENT_EXIST", "请求的账单文件不存在")


def _choice(name: str, known: tuple[str, ...], default: str) -> str:
    value = request.args.get(name, default)
    if value not in known:
        raise bad_parameter(name, f"{name}只能是{'、'.join(known)}")
    return value


def _three_months_before(now: float) -> str:
    today = datetime.fromtimestamp(now, BEIJING)
    months = today.year * 12 + today.month - 4
    # A day that month does not have sorts behind all it has, which is what is meant.
    return f"{months // 12:04d}-{months % 12 + 1:02d}-{today.day:02d}"


def _asked_day(world: World) -> Day:
    """Return the day asked for, when its bill may be asked for now."""
    text = request.args.get("bill_date", "")
    try:
        day = bill_sheets.read_day(text)
    except ValueError as error:
        raise bad_parameter("bill_date", "bill_date格式应为yyyy-MM-DD") from error
    now = world.clock.time()
    if day.from_s > now:
        raise bad_parameter("bill_date", "bill_date不能晚于今天")
    if text < _three_months_before(now):
        raise bad_parameter("bill_date", "仅支持三个月内的账单下载申请")
    if now < day.until_s + READY_AFTER_S:
        raise _creating()
    return day


def _faults_now(world: World, merchant: Merchant, bill: str) -> list[dict[str, Any]]:
    """Return the faults that are for this request, and count down those that are for so many."""
    fit = []
    for fault in world.state.bill_faults:
        is_meant = fault["mchid"] == merchant.mchid and fault["bill"] in (None, bill)
        if not is_meant or fault["times"] == 0:
            continue
        if fault["times"] is not None:
            fault["times"] -= 1
        fit.append(fault)
    return fit


def _spoilt(
    world: World, sheet: Sheet, faults: list[dict[str, Any]], merchant: Merchant, day: Day
) -> Sheet:
    for fault in faults:
        if fault["kind"] == "extra_row":
            line = bill_sheets.stranger_line(world, sheet, merchant.mchid, day)
            sheet = bill_files.with_extra(sheet, line)
        elif fault["kind"] in bill_files.SPOILERS:
            sheet = bill_files.spoil(sheet, fault["kind"], fault["out_trade_no"])
    return sheet


def _refuse_if_told(kinds: set[str]) -> None:
    if "STATEMENT_CREATING" in kinds:
        raise _creating()
    if "NO_STATEMENT_EXIST" in kinds:
        raise _no_statement()


def _keep_link(world: World, merchant: Merchant, raw: bytes) -> BillLink:
    now = world.clock.time()
    links = world.state.bill_links
    for old in [one.value for one in links.values() if now - one.made_at > KEPT_LINK_S]:
        del links[old]
    link = BillLink(
        value=world.chance.text(64),
        mchid=merchant.mchid,
        made_at=now,
        is_packed=request.args.get("tar_type") == "GZIP",
        text=raw.decode(),
    )
    links[link.value] = link
    return link


def _offer(world: World, merchant: Merchant, day: Day, sheet: Sheet, bill: str) -> Response:
    """Answer with where the bill can be fetched, spoilt as the faults in force say."""
    with world.lock:
        faults = _faults_now(world, merchant, bill)
        kinds = {fault["kind"] for fault in faults}
        _refuse_if_told(kinds)
        sheet = _spoilt(world, sheet, faults, merchant, day)
        if not sheet.lines:
            raise _no_statement()
        line_end = "\r\n" if "crlf" in kinds else "\n"
        raw = bill_files.write(sheet, bom="bom" in kinds, line_end=line_end)
        link = _keep_link(world, merchant, raw)
        world.changed()
    # The platform signs by SHA-1; nothing here depends on its strength.
    digest = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    if "wrong_hash" in kinds:
        digest = digest[::-1]
    url = f"{world.base_url}/pay/v3/billdownload/file?token={link.value}"
    if link.is_packed:
        url += "&tartype=gzip"
    return json_answer({"download_url": url, "hash_type": "SHA1", "hash_value": digest})


@bp.get("/bill/tradebill")
@merchant_call
def trade_bill() -> Response:
    """Offer the trade bill of a day."""
    merchant, world = authenticate(), the_world()
    day = _asked_day(world)
    kind = _choice("bill_type", tuple(bill_sheets.TRADE_COLUMNS), "ALL")
    _choice("tar_type", ("", "GZIP"), "")
    sheet = bill_sheets.trade_sheet(world, merchant.mchid, day, kind)
    return _offer(world, merchant, day, sheet, "trade")


@bp.get("/bill/fundflowbill")
@merchant_call
def fund_flow_bill() -> Response:
    """Offer the fund-flow bill of a day; only the basic account has any flow here."""
    merchant, world = authenticate(), the_world()
    day = _asked_day(world)
    account = _choice("account_type", ACCOUNTS, "BASIC")
    _choice("tar_type", ("", "GZIP"), "")
    if account != "BASIC":
        raise _no_statement()
    sheet = bill_sheets.fund_sheet(world, merchant.mchid, day)
    return _offer(world, merchant, day, sheet, "fundflow")


@bp.get("/billdownload/file")
@merchant_call
def download() -> Response:
    """Hand out a file; the request is signed, the answer is not."""
    merchant, world = authenticate(), the_world()
    with world.lock:
        link = world.state.bill_links.get(request.args.get("token", ""))
    if link is None or link.mchid != merchant.mchid:
        raise bad_parameter("token", "token无效")
    if world.clock.time() - link.made_at > LINK_S:
        raise bad_parameter("token", "账单下载地址已过期，请重新申请")
    raw = link.text.encode()
    this_call().is_signed = False
    if link.is_packed:
        return Response(gzip.compress(raw, mtime=0), mimetype="application/x-gzip")
    return Response(raw, mimetype="text/plain")
