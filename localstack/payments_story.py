"""The part of the story in which money comes at a door, goes back, is counted and compared."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import requests

from localstack.telling import Teller, fen, figure, must, must_say, refusal, until, yuan

_CODE = "CH"
_IN = ("--community", _CODE)
_ALIPAY = "Mozilla/5.0 (Linux; Android 14) Mobile AlipayClient/10.6"
_TENANT = "19900000003"
_BEIJING = timedelta(hours=8)


class PaymentsStory(Teller):
    """Steps after the month's bills are out."""

    _cash_in_the_drawer = "0"
    """What the cashier has taken in cash, yuan."""
    _door_receipt = ""
    _visit = ""

    def somebody_pays_at_the_door(self) -> None:
        """A code is printed, scanned with Alipay by a stranger, and the house is paid off."""
        self._phone.person(_TENANT)
        token, self._token = self._token, self._sign_in(_TENANT)
        house = str(self._get("/houses")["items"][0]["label"])
        self._token = token
        self._flask("pay-code", "make", *_IN, "--as", "li")
        sheet = self._stack.logs / "door-codes.pdf"
        self._flask("pay-code", "sheet", "--out", str(sheet), "--building", house[:2], *_IN)
        must(sheet.read_bytes().startswith(b"%PDF"), "收款码不是 PDF")
        address = self._flask("pay-code", "show", "--house", house, *_IN).strip()
        must(address.startswith(self._stack.web_url), address)
        page = self._browse(address)
        must(house not in page, "扫码页没有遮住房号")
        amount = figure(page, r'class="amount">¥([\d,.]+)<')
        self._pay_by_alipay(address, page)
        receipt = self._browse(self._stack.web_url + figure(self._visit, r'href="(/r/[\w-]+)"'))
        must_say(receipt, "真实有效", amount)
        self._door_receipt = figure(self._visit, r"<dt>收据号</dt><dd>([\w-]+)</dd>")
        self._say(
            f"有人用支付宝扫 {house[:2]}一户门上的收款码：未登录只见打码的房号和合计 ¥{amount}，"
            f"付款后入账，收据 {self._door_receipt} 可扫码验真"
        )

    def _pay_by_alipay(self, address: str, page: str) -> None:
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        must(form["channel"] == "alipay", f"支付宝里不该有 {form['channel']}")
        leaving = requests.post(
            f"{address}/pay", data=form, headers={"User-Agent": _ALIPAY}, timeout=20
        )
        must(leaving.status_code == 200, leaving.text)
        target = figure(leaving.text, r'class="button alipay" href="([^"]+)"')
        cashier = requests.get(target.replace("&amp;", "&"), timeout=20)
        number = figure(cashier.text, r"(P\d{14}[A-Z2-7]{12})")
        self._phone.post(f"alipay/pay/{number}", copies=2)
        visit = self._stack.web_url + figure(leaving.text, r'href="(/p/[\w-]+/payments/[\w-]+)"')
        self._visit = until(lambda: self._booked_page(visit), "门口的支付入账")

    def _booked_page(self, visit: str) -> str | None:
        page = self._browse(visit)
        return page if "收据号" in page else None

    def _browse(self, address: str) -> str:
        answer = requests.get(address, headers={"User-Agent": _ALIPAY}, timeout=20)
        must(answer.status_code == 200, f"{address}：{answer.status_code}")
        return answer.text

    def money_goes_back(self) -> None:
        """One asks for a part back, another approves, the channel pays; the life tells all."""
        number = self._door_receipt
        asking = ("money", "refund", number, "--amount", "10.00", "--reason", "多缴")
        request_id = figure(self._flask(*asking, *_IN, "--as", "wang"), r"已提交申请 (\d+)")
        self._flask("approvals", "approve", request_id, "--as", "li")
        life = until(lambda: self._life_with(number, "已退款"), "原路退款")
        must_say(life, number, "支付宝")
        page = self._browse(self._stack.web_url + figure(self._visit, r'href="(/r/[\w-]+)"'))
        must_say(page, "10.00")
        self._say(
            f"王会计申请把 {number} 退 ¥10.00，李经理批准，支付宝原路退回；"
            f"这笔钱的一生共 {len(life.splitlines())} 行可查"
        )

    def _life_with(self, number: str, word: str) -> str | None:
        life = self._flask("money", "life", number, *_IN, "--ask", "--as", "wang")
        return life if word in life else None

    def shift_is_counted(self) -> None:
        """The cashier counts without seeing the sum; another takes the cash over."""
        shift = figure(self._flask("shift", "list", "--own", *_IN, "--as", "sun"), r"(\d+)")
        self._flask("shift", "close", *_IN, "--as", "sun")
        cash = self._cash_in_the_drawer
        said = self._flask("shift", "count", "--cash", cash, *_IN, "--as", "sun")
        must_say(said, "已日结", yuan(fen(cash)))
        must("有差额" not in said, said)
        self._flask("shift", "hand-over", shift, "--cash", cash, *_IN, "--as", "wang")
        self._say(
            f"孙出纳交班：先盲点现金 ¥{yuan(fen(cash))}，再看到应有金额，差额 0；王会计点清接收"
        )

    def channels_are_compared(self) -> None:
        """Yesterday's statements are fetched and agree with our books, where they are out yet."""
        day = (datetime.now(UTC) + _BEIJING - timedelta(days=1)).date()
        # It ends with 1 while a statement is not out: channels make them in the morning.
        said = refusal(lambda: self._flask("reconcile", "run", "--day", str(day), "--as", "wang"))
        compared, waiting = said.count("：已核对"), said.count("：等待对账单")
        must((compared + waiting, said.count("没有待处理的差异")) == (2, compared), said)
        later = f"，{waiting} 个渠道的对账单还没有出，出来后自动核对" if waiting else ""
        self._say(f"与渠道核对 {day}：{compared} 个渠道两边一致{later}")
