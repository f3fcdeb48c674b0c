// The platform's side, for developers and demonstrations: clock, faults, callbacks, requests.
"use strict";

const FAULTS = [
  ["微信接口繁忙（-1）", {match: {host: "wx"}, action: {errcode: -1}}],
  ["微信接口当日用完（45009）", {match: {host: "wx"}, action: {errcode: 45009}}],
  ["下单成功但应答丢失", {match: {path: "/v3/pay/transactions/jsapi"}, action: {lost_answer: true}}],
  ["微信支付系统错误（500）", {match: {host: "pay"}, action: {pay_error: {status: 500, code: "SYSTEM_ERROR"}}}],
  ["微信支付网关 502", {match: {host: "pay"}, action: {status: 502}}],
  ["微信支付应答验签不过", {match: {host: "pay"}, action: {badly_signed: true}}],
  ["支付宝系统错误", {match: {host: "ali"}, action: {alipay_error: {sub_code: "ACQ.SYSTEM_ERROR"}}}],
  ["支付宝应答验签不过", {match: {host: "ali"}, action: {badly_signed: true}}],
  ["支付宝账单少一行", {match: {host: "ali"}, action: {alipay_bill: "missing_row"}}],
  ["平台应答慢 3 秒", {match: {}, action: {latency_ms: 3000}}],
  ["短信当日超限", {match: {host: "sms"}, action: {sms_code: "LimitExceeded.PhoneNumberDailyLimit"}}],
  ["短信服务内部错误", {match: {host: "sms"}, action: {sms_code: "InternalError.Timeout"}}],
];
const HOSTS = {wx: "微信", pay: "支付", ali: "支付宝", sms: "短信"};
const STATES = {pending: "等待重试", done: "已送达", given_up: "已放弃", held: "已扣下", lost: "已丢失"};

byId("fault").replaceChildren(...FAULTS.map(([name], place) => h("option", {value: String(place)}, name)));

function act(method, path, body) {
  return () => attempt(async () => { await call(method, path, body); await refreshPlatform(); });
}

async function refreshPlatform() {
  const [clock, faults, outbox, journal] = await Promise.all([
    call("GET", "clock"), call("GET", "faults"), call("GET", "outbox?last=20"), call("GET", "journal?limit=30")]);
  byId("virtual-time").textContent = clock.now.slice(0, 19).replace("T", " ") + (clock.frozen ? "（已停）" : "");
  draw("faults", faults.faults, (payload) => payload.length ? payload.map(faultLine)
    : [h("li", {className: "none"}, "没有启用故障，平台一切正常。")]);
  draw("outbox", outbox.map(({headers, body, ...rest}) => rest).reverse(), (list) => list.length ? list.map(noticeLine)
    : [h("li", {className: "none"}, "还没有支付回调。")]);
  draw("journal", journal.requests.reverse(), (list) => list.length ? list.map(requestLine)
    : [h("li", {className: "none"}, "平台还没有收到请求。")]);
}

function faultLine(rule) {
  const known = FAULTS.find(([, one]) => JSON.stringify(one.action) === JSON.stringify(rule.action));
  return h("li", {}, h("div", {}, h("strong", {}, known ? known[0] : JSON.stringify(rule.action)),
    h("small", {}, `已触发 ${rule.fired} 次` + (rule.times ? `，共 ${rule.times} 次` : "，一直有效"))),
    h("button", {type: "button", onclick: act("DELETE", "faults/" + rule.id)}, "停用"));
}

function noticeLine(notice) {
  const last = notice.attempts[notice.attempts.length - 1];
  const tail = last ? `，上次 ${last.status || last.error}` : "";
  const id = {id: notice.id};
  return h("li", {}, h("div", {}, h("strong", {}, notice.out_trade_no),
    h("small", {}, `${STATES[notice.state]} · 投递 ${notice.attempts.length} 次${tail}`),
    notice.next_at && h("small", {}, "下次 " + dayTime(notice.next_at))),
    notice.state === "held" ? h("button", {type: "button", onclick: act("POST", "outbox/release", id)}, "放行")
      : notice.state === "done" ? h("button", {type: "button", onclick: act("POST", "outbox/duplicate", id)}, "再投一次")
        : notice.state === "pending" && h("button", {type: "button", onclick: act("POST", "outbox/run", id)}, "马上投递"));
}

function requestLine(one) {
  const good = one.verdict === "ok";
  return h("li", {className: "request"}, h("div", {},
    h("strong", {}, `${one.method} ${one.path}`),
    h("small", {className: good ? "" : "bad"}, `${clockTime(one.at)} · ${HOSTS[one.host]} · ${good ? one.status : one.verdict}`)));
}

for (const button of document.querySelectorAll("[data-advance]")) {
  button.addEventListener("click", act("POST", "clock", {advance: Number(button.dataset.advance)}));
}
for (const button of document.querySelectorAll("[data-verify]")) {
  button.addEventListener("click", () => attempt(async () => {
    const result = await call("POST", "push/verify", {account: button.dataset.verify});
    note(result.ok ? "验证通过" : "验证失败：" + (result.error || `状态 ${result.status}`));
  }));
}
for (const button of document.querySelectorAll("[data-code]")) {
  button.addEventListener("click", () => attempt(async () => {
    if (!sim.phone) { note("请先选择一位住户"); return; }
    const answer = await call("POST", `people/${sim.phone}/${button.dataset.code}`, {});
    byId("mini-code").value = answer.code;
    byId("mini-code").select();
    note("已取得，可以复制了");
  }));
}
byId("clock-real").addEventListener("click", () => attempt(async () => {
  await call("POST", "clock", {set: new Date().toISOString()});
  await refreshPlatform();
}));
byId("fault-add").addEventListener("click", () => attempt(async () => {
  const times = byId("fault-times").value;
  await call("POST", "faults", [{...FAULTS[Number(byId("fault").value)][1], times: times ? Number(times) : null}]);
  await refreshPlatform();
}));
byId("reset").addEventListener("click", () => {
  if (!confirm("清空平台上的住户、订单与消息？")) return;
  attempt(async () => { await call("POST", "reset"); sim.phone = null; sim.shown = {}; await refresh(); });
});

// --- start: what the address says, else the first person ---

(async () => {
  const asked = new URL(location.href).searchParams;
  try {
    sim.people = await call("GET", "people");
  } catch {
    note("模拟器没有应答");
  }
  sim.phone = asked.get("phone") || (sim.people[0] && sim.people[0].phone) || null;
  openTab(["chat", "sms", "mail", "pay", "platform"].includes(asked.get("tab")) ? asked.get("tab") : "chat");
  const pulse = async () => {
    if (!document.hidden) await attempt(refresh);
    setTimeout(pulse, 1500);
  };
  setTimeout(pulse, 1500);
})();
