// Alipay in the person's hand: trades that wait, and scanning a code or opening a cashier link.
"use strict";

const TRADE_STATES = {WAIT_BUYER_PAY: "待付款", TRADE_SUCCESS: "支付成功", TRADE_FINISHED: "已完结", TRADE_CLOSED: "已关闭"};

// As the pay sheet shows an order: the two platforms share the sheet.
function alipayOrder(trade) {
  return {
    wallet: "支付宝",
    path: "alipay/pay/" + encodeURIComponent(trade.out_trade_no),
    description: trade.subject,
    amount_fen: trade.amount_fen,
    out_trade_no: trade.out_trade_no,
    is_open: trade.is_payable,
    state_text: trade.is_payable ? (trade.trade_status ? "待付款" : "待扫码")
      : TRADE_STATES[trade.trade_status] || "已过期",
    state: trade.is_payable ? "NOTPAY" : trade.paid_at ? "SUCCESS" : "CLOSED",
    made_at: trade.made_at,
  };
}

async function alipayOrders() {
  return (await call("GET", "alipay/trades"))
    .filter((one) => !one.phone || one.phone === sim.phone).map(alipayOrder);
}

async function scanCode(text) {
  if (text.includes("qr.alipay.com/")) {
    const trade = await call("POST", "alipay/scan", sim.phone ? {qr_code: text, by: sim.phone} : {qr_code: text});
    openSheet(alipayOrder(trade));
  } else if (text.includes("/ali/gateway.do?")) {
    location.assign(text);
  } else {
    note("不是支付宝的付款码或链接");
  }
}

byId("scan").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("scan-text").value.trim();
  if (!text) return;
  attempt(async () => { await scanCode(text); byId("scan").reset(); await refreshPay(); });
});
