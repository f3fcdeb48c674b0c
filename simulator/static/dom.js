// Small helpers. Every text reaches the page through textContent, so nothing needs escaping.
"use strict";

const sim = {phone: null, tab: "chat", shown: {}};

const byId = (id) => document.getElementById(id);

function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (name === "className") element.className = value;
    else element.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// Draw only when what is to be shown has changed, so that scrolling and focus stay as they are.
function draw(id, data, makeChildren) {
  const key = JSON.stringify(data);
  if (sim.shown[id] === key) return false;
  sim.shown[id] = key;
  byId(id).replaceChildren(...makeChildren(data));
  return true;
}

async function call(method, path, body) {
  const options = {method, headers: {"Content-Type": "application/json"}};
  if (method === "POST") options.body = JSON.stringify(body || {});
  const answer = await fetch("/_sim/" + path, options);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error || data.errMsg || "请求失败");
  return data;
}

let noteTimer = 0;
function note(text) {
  const element = byId("note");
  element.textContent = text;
  element.hidden = false;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { element.hidden = true; }, 3500);
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    note(error.message === "Failed to fetch" ? "模拟器没有应答" : error.message);
  }
}

const yuan = (fen) => "¥" + (fen / 100).toFixed(2);
const clockTime = (at) => at.slice(11, 16);
const dayTime = (at) => `${+at.slice(5, 7)}月${+at.slice(8, 10)}日 ${at.slice(11, 16)}`;

function empty(title, hint, button) {
  return h("div", {className: "empty"}, h("p", {}, title), hint && h("small", {}, hint), button);
}
