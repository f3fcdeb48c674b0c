"""The story of `make demo`: a month of fees, from a clerk's workbook to a paid, receipted bill.

It acts as people do: commands for staff, HTTP for owners, the simulated phone for WeChat. Every
step checks what it says by other means than the product's own word, and raises when it is not so.
"""

from __future__ import annotations

import secrets
from typing import Any

from localstack.payments_story import PaymentsStory
from localstack.stack import ROOT, Stack
from localstack.telling import fen, figure, must, must_say, refusal, until, yuan
from localstack.workbook import AREA_PRICE, FIXED_PRICE, POOL_YUAN, TIERS, read_workbook

_WORKBOOK = ROOT / "sample" / "cuihu-garden.xlsx"
_CODE = "CH"
_IN = ("--community", _CODE)
_SUN = ("--as", "sun")
_PAYER = "19900000001"
_NEIGHBOUR = "19900000002"
_NEXT = "19900000003"
"""Whom a person who stays after the story may play."""
_COPIES = 3


def run_story(stack: Stack) -> None:
    """Live a month on the sample community, printing a line per step with the figures it checked.

    Raises:
        StoryBroken: a figure is not what it must be.
    """
    story = _Story(stack)
    story.open_books()
    story.owner_follows()
    story.bill_the_month()
    story.owner_is_told()
    story.owner_pays()
    story.owner_is_thanked()
    story.neighbour_pays_at_the_counter()
    story.somebody_pays_at_the_door()
    story.money_goes_back()
    story.shift_is_counted()
    story.channels_are_compared()
    story.books_are_closed()
    story.books_are_checked()


class _Story(PaymentsStory):
    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self._workbook = read_workbook(_WORKBOOK)
        self._payment: dict[str, Any] = {}

    def open_books(self) -> None:
        """Staff, community, houses and owners, fee items."""
        for login_name, name, role in (
            ("wang", "王会计", "finance"),
            ("li", "李经理", "manager"),
            ("sun", "孙出纳", "cashier"),
        ):
            self._flask("staff", "create", login_name, "--name", name, "--role", role)
        self._flask("community", "add", _CODE, "--name", "翠湖花园", "--as", "li")
        importing = ("import", "owners", str(_WORKBOOK), "--community", _CODE, "--as", "li")
        said = self._flask(*importing, "--dry-run")
        must_say(said, f"{self._workbook.houses} 户")
        said = self._flask(*importing)
        must_say(
            said,
            f"{self._workbook.houses} 户（新增 {self._workbook.houses}，变更 0）",
            f"新增业主 {self._workbook.owners} 位，问题 0 处",
        )
        again = self._flask(*importing)
        must_say(again, "（新增 0，变更 0），新增业主 0 位")
        self._say(
            f"导入 {_WORKBOOK.name}：{self._workbook.houses} 户、{self._workbook.owners} 位业主；"
            "再导入一次，没有任何变化"
        )
        reading = ("import", "readings", str(_WORKBOOK), "--community", _CODE, "--as", "li")
        said = self._flask(*reading)
        must_say(said, f"{self._workbook.meters} 只")
        self._say(
            f"导入 {self._workbook.readings} 条水表读数，登记 {self._workbook.meters} 只水表，"
            "首次读数作为起始读数"
        )
        self._add_fees()

    def _add_fees(self) -> None:
        tiers = ",".join(f"{limit or ''}:{price}" for limit, price in TIERS)
        common = ("--from", "2020-01-01", "--community", _CODE, "--as", "wang")
        for code, name, *how in (
            ("WY", "物业费", "--method", "area", "--price", AREA_PRICE),
            ("LJ", "生活垃圾清运费", "--method", "fixed", "--price", FIXED_PRICE),
            ("SF", "水费", "--method", "meter", "--meter", "cold_water", "--tiers", tiers),
            ("GT", "公摊电费", "--method", "share"),
        ):
            self._flask("fees", "add", code, "--name", name, *how, *common)
        self._flask(
            *("pool", "add", "GT", "--month", f"{self._workbook.month:%Y-%m}"),
            *("--amount", POOL_YUAN, "--by", "area", "--document", "供电局账单"),
            *("--community", _CODE, "--as", "wang"),
        )
        self._say(
            f"收费项目：物业费 {AREA_PRICE} 元/㎡·月，生活垃圾清运费 {FIXED_PRICE} 元/月，"
            f"水费按三档阶梯，公摊电费 ¥{POOL_YUAN} 按面积分摊"
        )

    def owner_follows(self) -> None:
        """An owner signs in by phone code, and follows the official account."""
        person = self._phone.person(_PAYER)
        self._token = self._sign_in(_PAYER)
        houses = self._get("/houses")["items"]
        must(len(houses) == 1, f"自动绑定的房屋是 {len(houses)} 处")
        self._phone.post(f"people/{_PAYER}/follow")
        reply = until(lambda: self._ask_chat("绑定", "您已绑定"), "公众号认出业主")
        must("您已绑定" in reply, reply)
        self._say(
            f"业主 {_PAYER} 用短信验证码登录，自动绑定 {houses[0]['label']}；"
            f"关注公众号后被认出（{person['openid_official'][:10]}…）"
        )

    def _ask_chat(self, content: str, wanted: str) -> str | None:
        answer = self._phone.post(f"people/{_PAYER}/text", content=content)
        reply = str((answer.get("reply") or {}).get("Content") or answer.get("reply") or "")
        return reply if wanted in reply else None

    def bill_the_month(self) -> None:
        """Generate, review and publish the month's bills."""
        month = f"{self._workbook.month:%Y-%m}"
        said = self._flask("bills", "generate", "--month", month, *_IN, "--as", "wang")
        total = yuan(self._workbook.due_fen)
        bills = self._workbook.bills
        must_say(said, f"{bills} 张账单，合计 ¥{total}")
        batch_id = figure(said, r"批次 (\d+)：")
        self._say(
            f"生成 {month} 账单：{bills} 张，合计 ¥{total}，与按工作簿用分数独立计算的合计一分不差"
        )
        refused = refusal(lambda: self._flask("bills", "publish", batch_id, "--as", "li"))
        must("待审核" in refused, f"未审核就能发布：{refused}")
        refused = refusal(lambda: self._flask("bills", "approve", batch_id, "--as", "wang"))
        must("制单人不能审核" in refused, f"制单人能审核自己的批次：{refused}")
        refused = refusal(lambda: self._flask("bills", "approve", batch_id, "--as", "li"))
        missing = self._workbook.houses - self._workbook.water_bills
        must(f"“无法计费”{missing} 户" in refused, f"没看差异就能审核：{refused}")
        self._flask("bills", "review", batch_id, "--tick", "--as", "li")
        self._flask("bills", "approve", batch_id, "--as", "li")
        said = self._flask("bills", "publish", batch_id, "--as", "li")
        must_say(said, f"已发布 {bills} 张账单，合计 ¥{total}")
        told = int(figure(said, r"通知 (\d+) 条"))
        must(told > 0, "没有通知任何业主")
        self._say(
            f"王会计制单，李经理看过差异（{missing} 户没有水表）后审核并发布"
            f"（自审、未看差异、未审发布都被拒绝）；{told} 条通知待发"
        )

    def owner_is_told(self) -> None:
        """The follower finds the new bill in the chat, the neighbour by SMS."""
        card = until(lambda: self._card("应缴"), "新账单模板消息")
        sms = until(lambda: self._bill_sms(), "新账单短信")
        self._say(f"公众号收到新账单：{card}；未关注的邻居收到短信：{sms}")

    def _bill_sms(self) -> str | None:
        texts = [str(one["text"]) for one in self._phone.get("sms", phone=_NEIGHBOUR)]
        return next((words for words in texts if "新账单" in words), None)

    def _card(self, word: str) -> str | None:
        for bubble in reversed(self._phone.get(f"people/{_PAYER}/chat")):
            if bubble.get("kind") == "template":
                words = " ".join(f"{row['label']}{row['value']}" for row in bubble["fields"])
                if word in words:
                    return words
        return None

    def owner_pays(self) -> None:
        """The owner sees why, pays, and WeChat Pay tells us three times at once."""
        bills = self._get("/bills?which=unpaid")["items"]
        must(len(bills) == 4, f"未缴账单有 {len(bills)} 张")
        for item in ("物业费", "水费", "公摊电费"):
            bill = next(bill for bill in bills if bill["item"] == item)
            why = self._get(f"/bills/{bill['id']}")["lines"][0]["explanation"]
            self._say(f"业主看到{item}为什么是这个数：{why}")
        key = secrets.token_hex(12)
        wanted = {"bill_ids": [bill["id"] for bill in bills]}
        answers = [self._post("/payments", wanted, key=key) for _ in range(2)]
        must(all(answer.status_code == 201 for answer in answers), answers[0].text)
        started = [answer.json()["payment"]["id"] for answer in answers]
        must(started[0] == started[1], "同一请求编号开了两笔支付")
        ticket = answers[0].json()["ticket"]
        self._payment = answers[0].json()["payment"]
        owed = sum(bill["outstanding_fen"] for bill in bills)
        must(self._payment["amount_fen"] == owed, "支付金额不等于账单之和")
        paid = self._phone.post("pay_ticket", **ticket, by=_PAYER, copies=_COPIES)
        must(paid["errMsg"] == "requestPayment:ok", str(paid))
        self._payment = until(self._booked, "支付入账")
        delivered = until(self._deliveries, f"{_COPIES} 次回调")
        self._say(
            f"微信支付 ¥{yuan(owed)}，回调送达 {delivered} 次，只入账 1 次，"
            f"收据号 {self._payment['receipt_no']}"
        )

    def _booked(self) -> dict[str, Any] | None:
        payment = self._get(f"/payments/{self._payment['id']}")
        return payment if payment["state"] == "succeeded" and payment["receipt_no"] else None

    def _deliveries(self) -> int | None:
        notices = self._phone.get("outbox", out_trade_no=self._payment["out_trade_no"])
        answered = [attempt["status"] for one in notices for attempt in one["attempts"]]
        must(set(answered) <= {200, 204}, f"回调的应答是 {answered}")
        return len(answered) if len(answered) >= _COPIES else None

    def owner_is_thanked(self) -> None:
        """The receipt is there, the bills are paid, and the chat shows the template message."""
        receipt = self._get(f"/receipts/{self._payment['receipt_no']}")
        must(receipt["amount_fen"] == self._payment["amount_fen"], "收据金额不等于支付金额")
        bills = self._get("/bills?which=all")["items"]
        must(all(bill["state"] == "paid" for bill in bills), "账单没有全部缴清")
        number = self._payment["receipt_no"]
        card = until(lambda: self._card(number), "缴费成功模板消息")
        sent = self._phone.get("journal", path="template/send")["requests"]
        mine = [one for one in sent if number in str(one["body"])]
        must(len(mine) == 1, f"平台日志里这张收据的模板消息有 {len(mine)} 条")
        self._say(f"公众号收到缴费成功：{card}；平台日志里恰好 1 条")

    def neighbour_pays_at_the_counter(self) -> None:
        """A lump sum pays the earliest due first and leaves the rest as prepaid money."""
        house = self._neighbour_house()
        said = self._flask("counter", "preview", "--house", house, "--amount", "1", *_IN, *_SUN)
        owed_fen = fen(figure(said, r"今日应缴合计 ¥([\d,.]+)"))
        paid = yuan(owed_fen + 10_000).replace(",", "")
        taking = ("counter", "take", "--house", house, "--amount", paid, "--by", "cash")
        key = ("--key", secrets.token_hex(8))
        said = self._flask(*taking, "--payer", "萧刚娜", *key, *_IN, *_SUN)
        again = self._flask(*taking, "--payer", "萧刚娜", *key, *_IN, *_SUN)
        number = figure(said, r"收据 (\S+)：")
        self._cash_in_the_drawer = paid
        must(number in again, "同一请求编号收了两次款")
        must_say(self._flask("prepaid", "show", "--house", house, *_IN, *_SUN), "余额 ¥100.00")
        self._say(
            f"邻居到前台交现金 ¥{paid}：按先到期先抵缴清 ¥{yuan(owed_fen)}，余 ¥100.00 转入预存，"
            f"收据号 {number}；重复提交只收一次"
        )

    def _neighbour_house(self) -> str:
        self._phone.person(_NEIGHBOUR)
        token, self._token = self._token, self._sign_in(_NEIGHBOUR)
        label = str(self._get("/houses")["items"][0]["label"])
        self._token = token
        return label

    def books_are_closed(self) -> None:
        """The report equals the sum of the bills, and the statement of a house its last cent."""
        month = f"{self._workbook.month:%Y-%m}"
        window = ("--from", month, "--until", month)
        said = self._flask("report", "collection", *window, *_IN, "--as", "li")
        must_say(said, yuan(self._workbook.due_fen))
        shown = figure(said, r"合计.*?([\d,]+\.\d\d)")
        house = str(self._get("/houses")["items"][0]["label"])
        files = self._stack.logs / "statement.pdf"
        said = self._flask("statement", "--house", house, "--pdf", str(files), *_IN, "--as", "li")
        must_say(said, "期末", "0.00")
        must(files.read_bytes().startswith(b"%PDF"), "对账单不是 PDF")
        self._say(f"收缴报表应收合计 ¥{shown}，等于账单之和；{house} 的对账单期末余额 0.00，可打印")

    def books_are_checked(self) -> None:
        """Every promise of the ledger holds, and every link works."""
        said = self._flask("verify", "ledger")
        must_say(said, "全部成立", "渠道的每个交易号只入账一次（3 条）", "收据号连续无缺（3 条）")
        promises = figure(said, r"(\d+) 条承诺全部成立")
        until(lambda: self._doctor_is_content(), "doctor 全部正常")
        self._phone.person(_NEXT)
        self._say(f"verify ledger：{promises} 条承诺全部成立；doctor：每一环都正常")

    def _doctor_is_content(self) -> bool | None:
        try:
            return "异常" not in self._flask("doctor") or None
        except Exception as error:  # noqa: BLE001 - asked again until patience ends
            self._last_doctor = str(error)
            return None
