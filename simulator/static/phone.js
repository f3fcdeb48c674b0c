// The person's side: chat with the account, text messages, the pay sheet.
"use strict";

sim.people = [];
sim.me = () => sim.people.find((one) => one.phone === sim.phone) || null;
const mine = (path) => `people/${sim.phone}/${path}`;

// --- who holds the phone ---

function choose(phone) {
  sim.phone = phone;
  sim.shown = {};
  const address = new URL(location.href);
  address.searchParams.set("phone", phone);
  history.replaceState(null, "", address);
  openPeople(false);
  attempt(refresh);
}

function openPeople(open) {
  byId("people").hidden = !open;
  byId("who").setAttribute("aria-expanded", String(open));
}

function drawPeople() {
  const me = sim.me();
  byId("who-name").textContent = me ? me.nickname : "选择住户";
  byId("who-phone").textContent = me ? me.phone : "";
  draw("people-list", [sim.people, sim.phone], () => sim.people.length
    ? sim.people.map((one) => h("li", {},
        h("button", {type: "button", className: one.phone === sim.phone ? "me" : "", onclick: () => choose(one.phone)},
          h("span", {}, one.nickname), h("small", {}, one.phone), one.follows && h("em", {}, "已关注"))))
    : [h("li", {className: "none"}, "还没有住户，先填手机号添加一位。")]);
}

byId("who").addEventListener("click", () => openPeople(byId("people").hidden));
byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const phone = byId("add-phone").value.trim();
    if (!/^1\d{10}$/.test(phone)) throw new Error("请填写 11 位手机号");
    const nickname = byId("add-name").value.trim();
    await call("POST", "people", nickname ? {phone, nickname} : {phone});
    byId("add").reset();
    sim.people = await call("GET", "people");
    choose(phone);
  });
});

// --- chat ---

function bubble(one) {
  const at = h("time", {}, clockTime(one.at));
  if (one.side === "system") return h("p", {className: "system"}, one.text);
  if (one.kind === "template") {
    return h("article", {className: "card"},
      h("header", {}, h("strong", {}, one.text), at),
      h("dl", {}, one.fields.map((field) => h("div", {}, h("dt", {}, field.label), h("dd", {}, field.value)))),
      one.target && h("footer", {}, h("span", {}, "查看详情"), h("small", {}, one.target)));
  }
  return h("div", {className: "line " + one.side},
    one.side === "account" && h("span", {className: "logo", "aria-hidden": "true"}, "安"),
    h("p", {className: "bubble"}, one.text), at);
}

function drawMenu(buttons) {
  byId("menu").hidden = !buttons.length;
  draw("menu", buttons, () => buttons.map((button) => {
    const below = button.sub_button || [];
    if (!below.length) return menuButton(button);
    return h("details", {}, h("summary", {}, button.name), h("div", {}, below.map(menuButton)));
  }));
}

function menuButton(button) {
  return h("button", {type: "button", onclick: (event) => {
    const details = event.target.closest("details");
    if (details) details.open = false;
    if (button.type === "click") attempt(async () => { await call("POST", mine("click"), {key: button.key}); await refresh(); });
    else note(button.pagepath || button.url || button.name);
  }}, button.name);
}

async function refreshChat() {
  const me = sim.me();
  byId("follow").hidden = !me;
  byId("compose").hidden = byId("menu").hidden = !(me && me.follows);
  if (!me) {
    draw("chat", "nobody", () => [empty("还没有选择住户", "点上方选择或添加一位，再和物业聊天。",
      h("button", {type: "button", className: "primary", onclick: () => openPeople(true)}, "选择住户"))]);
    return;
  }
  byId("follow").textContent = me.follows ? "取消关注" : "关注";
  byId("follow-state").textContent = me.follows ? "公众号 · 已关注" : "公众号 · 未关注";
  const [chat, menu] = await Promise.all([call("GET", mine("chat")), call("GET", "menu")]);
  if (me.follows) drawMenu(menu.button);
  const drawn = draw("chat", chat, () => chat.length ? chat.map(bubble)
    : [empty("还没有消息", me.follows ? "给物业发一句话试试。" : "关注后可以收到账单和缴费通知。")]);
  if (drawn) byId("chat").scrollTop = byId("chat").scrollHeight;
}

byId("follow").addEventListener("click", () => attempt(async () => {
  const me = sim.me();
  if (!me) return openPeople(true);
  await call("POST", mine(me.follows ? "unfollow" : "follow"));
  await refresh();
}));
byId("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = byId("compose-text");
  const content = field.value.trim();
  if (!content) return;
  field.value = "";
  attempt(async () => {
    const sent = call("POST", mine("text"), {content});
    setTimeout(() => attempt(refreshChat), 80);
    await sent;
    await refreshChat();
  });
});

// --- text messages ---

async function refreshSms() {
  if (!sim.phone) {
    draw("sms", "nobody", () => [empty("还没有选择住户", "短信按手机号显示。")]);
    return;
  }
  const inbox = await call("GET", "sms?phone=" + sim.phone);
  draw("sms", inbox, () => inbox.length
    ? inbox.map((one) => h("article", {className: "text"},
        h("header", {}, h("strong", {}, "106575" + one.template_id), h("time", {}, dayTime(one.at))),
        h("p", {}, `【${one.sign_name}】${one.text}`)))
    : [empty("没有短信", "验证码和账单短信会出现在这里。")]);
}

// --- mail ---

async function refreshMail() {
  const inbox = await call("GET", "mails");
  draw("mail", inbox, () => inbox.length
    ? inbox.map((one) => h("article", {className: "text"},
        h("header", {}, h("strong", {}, one.to), h("time", {}, dayTime(one.at))),
        h("p", {}, one.subject),
        h("p", {}, one.text)))
    : [empty("没有邮件", "找回密码的邮件会出现在这里，不分收件人。")]);
}

// --- pay ---

const STATE_TEXTS = {NOTPAY: "待支付", SUCCESS: "支付成功", REFUND: "已退款", CLOSED: "已关闭"};

function wechatOrder(order) {
  return {
    wallet: order.trade_type === "NATIVE" ? "微信扫码" : "微信支付",
    path: "pay/" + encodeURIComponent(order.out_trade_no),
    description: order.description,
    amount_fen: order.amount_fen,
    out_trade_no: order.out_trade_no,
    is_open: order.trade_state === "NOTPAY" && !order.is_expired,
    state_text: order.is_expired ? "已过期" : STATE_TEXTS[order.trade_state] || order.trade_state_desc,
    state: order.trade_state,
    made_at: order.created_at,
  };
}

async function refreshPay() {
  const ours = (await call("GET", "orders")).filter((one) =>
    one.phone === sim.phone || (one.trade_type === "NATIVE" && !one.phone)).map(wechatOrder);
  const orders = [...ours, ...await alipayOrders()].sort((a, b) => b.made_at.localeCompare(a.made_at));
  const waiting = orders.filter((one) => one.is_open).length;
  byId("pay-badge").hidden = !waiting;
  byId("pay-badge").textContent = waiting;
  if (sim.tab !== "pay") return;
  draw("pay", orders, () => orders.length ? orders.map(orderCard)
    : [empty("没有待支付的订单", "在小程序里点“缴费”，或扫支付宝付款码后，订单会出现在这里。")]);
}

function orderCard(order) {
  return h("article", {className: "order " + (order.is_open ? "open" : "over")},
    h("header", {}, h("strong", {}, order.description), h("em", {className: order.state}, order.state_text)),
    h("p", {className: "amount"}, yuan(order.amount_fen)),
    h("small", {}, order.out_trade_no + " · " + order.wallet),
    order.is_open && h("button", {type: "button", className: "pay", onclick: () => openSheet(order)}, "去支付"));
}

function closeSheet() {
  byId("sheet").hidden = true;
  byId("sheet").replaceChildren();
  attempt(refreshPay);
}

function showSheet(...children) {
  const sheet = byId("sheet");
  sheet.replaceChildren(h("div", {className: "paper"}, ...children));
  sheet.hidden = false;
  const first = sheet.querySelector("button.pay");
  if (first) first.focus();
}

function openSheet(order) {
  showSheet(
    h("p", {className: "payee"}, "收款方　安居物业"),
    h("p", {className: "sum"}, yuan(order.amount_fen)),
    h("dl", {}, h("div", {}, h("dt", {}, "商品"), h("dd", {}, order.description)),
      h("div", {}, h("dt", {}, "付款方式"), h("dd", {}, order.wallet))),
    h("button", {type: "button", className: "pay", onclick: (event) => confirmPay(order, event.target)}, "确认支付"),
    h("button", {type: "button", className: "plain", onclick: closeSheet}, "取消"));
}

async function confirmPay(order, button) {
  button.disabled = true;
  let title = "支付成功";
  let good = true;
  try {
    await call("POST", order.path, sim.phone ? {by: sim.phone} : {});
  } catch (error) {
    good = false;
    title = error.message.split(": ").pop();
  }
  showSheet(
    h("p", {className: "mark " + (good ? "good" : "bad"), "aria-hidden": "true"}, good ? "✓" : "!"),
    h("p", {className: "result"}, title),
    good && h("p", {className: "sum"}, yuan(order.amount_fen)),
    h("p", {className: "payee"}, good ? "已付款给安居物业" : "没有扣款"),
    h("button", {type: "button", className: "pay", onclick: closeSheet}, "完成"));
}

byId("sheet").addEventListener("click", (event) => { if (event.target === byId("sheet")) closeSheet(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !byId("sheet").hidden) closeSheet(); });

// --- tabs and the pulse ---

function openTab(tab) {
  sim.tab = tab;
  for (const button of document.querySelectorAll("[data-tab]")) {
    const isThis = button.dataset.tab === tab;
    if (isThis) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
    byId("tab-" + button.dataset.tab).hidden = !isThis;
  }
  const address = new URL(location.href);
  address.searchParams.set("tab", tab);
  history.replaceState(null, "", address);
  openPeople(false);
  attempt(refresh);
}

async function refresh() {
  const [people, clock] = await Promise.all([call("GET", "people"), call("GET", "clock")]);
  sim.people = people;
  byId("clock").textContent = clockTime(clock.now);
  sim.clock = clock;
  drawPeople();
  const work = {chat: refreshChat, sms: refreshSms, mail: refreshMail, platform: () => refreshPlatform()}[sim.tab];
  await Promise.all([refreshPay(), work && work()]);
}

for (const button of document.querySelectorAll("[data-tab]")) {
  button.addEventListener("click", () => openTab(button.dataset.tab));
}
