// What happens: one loop sends what waits, follows what is being answered, and heals itself after a failure.

import * as api from "./api.js";
import * as gate from "./gate.js";
import { currentLanguage, keep, recall, translate } from "./preferences.js";
import { Exchange, problem, status, toEnd } from "./view.js";

const LONGEST = 4000;
const POLL_MS = 1500;
const AGAIN_MS = 3000;
const session = () => sessionStorage;
const byId = (id) => document.getElementById(id);
const field = byId("text");
const exchanges = new Map(); // message id -> Exchange
let outgoing = JSON.parse(recall("outgoing", session) || "[]"); // {id, text}: not yet at the server
let unread = true; // whether the server may know more than this page
let wake = () => {};
let streaming = new AbortController();

const keepOutgoing = () => keep("outgoing", JSON.stringify(outgoing), session);
const unanswered = () => [...exchanges.values()].find((one) => !one.done && !outgoing.some((o) => o.id === one.id));

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function nudge() {
  streaming.abort();
  wake();
}

function exchange(id, text) {
  if (!exchanges.has(id)) {
    exchanges.set(id, new Exchange(id, text, { again: say, rate }));
    toEnd();
  }
  return exchanges.get(id);
}

async function read() {
  const found = await api.read();
  unread = false;
  for (const one of found) {
    const shown = exchange(one.id, one.text);
    if (one.reply !== null) shown.finish(one);
  }
  const known = new Set(found.map((one) => one.id));
  for (const one of exchanges.values()) {
    // It was deleted there, or the cookie of the conversation is gone.
    if (!known.has(one.id) && !one.done && !outgoing.some((o) => o.id === one.id)) one.finish({ reply: null, failed: true });
  }
  // What this tab could not send before it was loaded again stands below what was sent.
  for (const one of outgoing) exchange(one.id, one.text).sending(true);
}

async function deliver({ id, text }) {
  const shown = exchange(id, text);
  shown.sending(true);
  try {
    await api.post(id, text, currentLanguage());
  } catch (error) {
    if (error.status === 429) {
      status("busy");
      const earlier = unanswered();
      if (earlier) await follow(earlier);
      else await pause((error.retryAfter || 2) * 1000);
      return;
    }
    if (error.passing || error.status === 401) throw error;
    // It would be refused again. The text goes back to its writer.
    field.value = field.value ? `${text}\n${field.value}` : text;
    grow();
    shown.remove();
    exchanges.delete(id);
    problem("refused");
    outgoing = outgoing.filter((one) => one.id !== id);
    keepOutgoing();
    return;
  }
  outgoing = outgoing.filter((one) => one.id !== id);
  keepOutgoing();
  shown.sending(false);
  problem("");
}

async function follow(shown) {
  streaming = new AbortController();
  shown.open();
  toEnd();
  try {
    for await (const line of api.follow(shown.id, streaming.signal)) {
      problem("");
      if (line.waiting !== undefined) {
        if (line.waiting > 0) status("waiting", line.waiting);
        else status("thinking");
      } else if (line.again) shown.piece(null);
      else if (line.text !== undefined) {
        // A stream that was opened again tells all from the beginning.
        if (shown.stream !== streaming) shown.piece(null);
        shown.stream = streaming;
        status("thinking");
        shown.piece(line.text);
      } else if (line.end) {
        shown.finish(line.end);
        status("");
        return;
      }
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.status === 404) unread = true;
    else if (error.status !== 503 && error.status !== 429) throw error;
    else unread = true;
    await pause(POLL_MS);
    return;
  }
  await pause(200);
}

/** Do the next thing; returns whether there was one. */
async function step() {
  if (unread) await read();
  else if (outgoing.length) await deliver(outgoing[0]);
  else {
    const next = unanswered();
    if (!next) return false;
    await follow(next);
  }
  return true;
}

let shown = false;

function showChat() {
  gate.show(true);
  if (!shown && matchMedia("(pointer: fine)").matches) field.focus();
  shown = true;
}

async function run() {
  for (;;) {
    try {
      const busy = await step();
      showChat();
      if (!busy) {
        status("");
        await pause(2 ** 30);
      }
    } catch (error) {
      if (error.status === 401) {
        await gate.ask();
        problem("");
      } else {
        showChat();
        status("");
        problem("offline");
        await pause(AGAIN_MS);
        if (!(error instanceof api.Refused)) console.error(error);
      }
      unread = true;
    }
    if (!unread && byId("problem").dataset.word === "offline") problem("");
  }
}

function identifier() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(text) {
  const one = { id: identifier(), text };
  outgoing.push(one);
  keepOutgoing();
  exchange(one.id, text).sending(true);
  toEnd(true);
  nudge();
}

async function rate(id, score) {
  try {
    await api.rate(id, score);
    return true;
  } catch {
    return false;
  }
}

function grow() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  keep("draft", field.value, session);
  const over = field.value.trim().length - LONGEST;
  byId("send").disabled = over > 0;
  if (over > 0) problem("long", over);
  else if (["long", "refused"].includes(byId("problem").dataset.word)) problem("");
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text || byId("send").disabled) return;
  field.value = "";
  grow();
  say(text);
});
field.addEventListener("input", grow);
field.addEventListener("keydown", (event) => {
  // Enter also ends the choice of a Chinese character; that one must not send (229: Safari's).
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    byId("form").requestSubmit();
  }
});
byId("log").addEventListener("keydown", (event) => {
  if (event.key === "Escape") field.focus();
});
byId("down").addEventListener("click", () => {
  toEnd(true);
  field.focus();
});
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    say(example.textContent);
    field.focus();
  });
}

const dialog = byId("confirm");
byId("fresh").addEventListener("click", () => {
  if (exchanges.size) dialog.showModal();
  else field.focus();
});
byId("confirm-no").addEventListener("click", () => dialog.close());
byId("confirm-yes").addEventListener("click", async () => {
  dialog.close();
  try {
    await api.forget();
  } catch (error) {
    unread = true;
    if (error.status !== 401) problem("offline");
    nudge();
    return;
  }
  outgoing = [];
  keepOutgoing();
  for (const one of exchanges.values()) one.remove();
  exchanges.clear();
  problem("");
  status("");
  nudge();
  field.focus();
});
window.addEventListener("online", nudge);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !byId("chat").hidden) {
    unread = true;
    wake();
  }
});

translate();
field.value = recall("draft", session) ?? "";
run();
grow();
// A server that does not answer must not leave the page empty.
setTimeout(() => {
  if (byId("gate").hidden) showChat();
}, 1000);
