"use strict";

const FAST_MS = 700;
const SLOW_MS = 4000;
const element = (id) => document.getElementById(id);
const list = element("messages");
const field = element("text");
const shown = new Map(); // message id -> {question, answer} elements
let language = (localStorage.getItem("language") || navigator.language || "en").startsWith("zh") ? "zh" : "en";
let problem = ""; // a key of WORDS
let timer = 0;
let conversation = 0; // counts "new chat", so that an answer to an older request is dropped

const word = (key) => WORDS[language][key];

function identifier() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function show() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = word("title");
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = word(node.dataset.placeholder);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
  element("language").textContent = word("other");
  element("language").lang = word("otherCode");
  const waiting = [...shown.values()].some((pair) => !pair.answer);
  element("welcome").hidden = shown.size > 0;
  element("thinking").hidden = !waiting;
  element("thinking").textContent = waiting ? word("thinking") : "";
  element("problem").hidden = !problem;
  element("problem").textContent = problem ? word(problem) : "";
}

function bubble(who, text, after) {
  const item = document.createElement("li");
  item.className = who;
  const name = document.createElement("span");
  name.className = "unseen";
  name.dataset.word = who;
  name.textContent = word(who);
  const body = document.createElement("p");
  body.dir = "auto";
  body.textContent = text; // never innerHTML: the text is anybody's
  item.append(name, body);
  if (after) after.after(item);
  else list.append(item);
  return item;
}

function put(id, text, reply) {
  let pair = shown.get(id);
  if (!pair) {
    pair = { question: bubble("you", text, null), answer: null };
    shown.set(id, pair);
  }
  if (reply !== null && !pair.answer) pair.answer = bubble("assistant", reply, pair.question);
}

function toEnd() {
  window.scrollTo({ top: document.body.scrollHeight });
}

async function read() {
  clearTimeout(timer);
  const mine = conversation;
  try {
    const response = await fetch("/chat/messages", { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    const found = (await response.json()).messages;
    if (mine !== conversation) return;
    const before = list.children.length;
    for (const one of found) put(one.id, one.text, one.reply);
    if (problem === "offline") problem = "";
    show();
    if (list.children.length !== before) toEnd();
  } catch {
    if (mine !== conversation) return;
    problem = "offline";
    show();
  }
  const waiting = [...shown.values()].some((pair) => !pair.answer);
  if (waiting || problem === "offline") timer = setTimeout(read, problem ? SLOW_MS : FAST_MS);
}

async function post(id, text) {
  const mine = conversation;
  element("send").disabled = true;
  try {
    const response = await fetch("/chat/messages", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id, text }),
    });
    if (mine !== conversation) return;
    if (!response.ok) {
      problem = response.status === 429 ? "busy" : "failed";
      return;
    }
    problem = "";
    put(id, text, null);
    if (field.value.trim() === text) field.value = "";
    grow();
  } catch {
    problem = "failed";
  } finally {
    element("send").disabled = false;
    show();
    toEnd();
    if (!problem) read();
  }
}

function grow() {
  field.rows = Math.min(6, Math.max(1, field.value.split("\n").length));
}

let last = { id: "", text: "" };
element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text || element("send").disabled) return;
  // After a failure the same text keeps its id: the server may have it already.
  if (last.text !== text || shown.has(last.id)) last = { id: identifier(), text };
  post(last.id, text);
});
field.addEventListener("input", grow);
field.addEventListener("keydown", (event) => {
  // Enter also ends the choice of a Chinese character; that one must not send.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    element("form").requestSubmit();
  }
});
element("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  show();
});
element("fresh").addEventListener("click", async () => {
  clearTimeout(timer);
  try {
    const response = await fetch("/chat/conversation", { method: "DELETE" });
    if (!response.ok) throw new Error(String(response.status));
    conversation += 1;
    shown.clear();
    list.replaceChildren();
    problem = "";
    field.focus();
  } catch {
    problem = "offline";
  }
  show();
});

show();
read();
