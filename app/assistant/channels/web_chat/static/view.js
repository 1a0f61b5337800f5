// The conversation as the page shows it.

import { element, render } from "./markdown.js";
import { keep, label, recall, say, word } from "./preferences.js";

const RENDER_MS = 60;
const NEAR_PX = 90;
const session = () => sessionStorage;
const byId = (id) => document.getElementById(id);
const log = byId("log");
const ratings = JSON.parse(recall("ratings", session) || "{}");

let following = true; // whether the newest line is kept in sight
log.addEventListener("scroll", () => {
  following = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
  byId("down").hidden = following;
});

export function toEnd(always = false) {
  if (always) following = true;
  if (following) log.scrollTop = log.scrollHeight;
  byId("down").hidden = following;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${name}-icon`);
  svg.append(use);
  return svg;
}

function button(key, symbol, action) {
  const made = element("button", "icon small");
  made.type = "button";
  made.append(icon(symbol));
  label(made, key);
  made.addEventListener("click", () => action(made));
  return made;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS, browsers have no clipboard for pages.
    const field = element("textarea", "unseen");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  announce("copied");
}

function codeBlock(code, language) {
  const figure = element("figure", "code");
  const head = figure.appendChild(element("figcaption"));
  if (language) head.append(element("span", "", language));
  else say(head.appendChild(element("span")), "codeBlock");
  head.append(button("copy", "copy", (made) => copy(code, made)));
  const body = figure.appendChild(element("pre"));
  body.tabIndex = 0;
  body.append(element("code", "", code));
  return figure;
}

/** The language of `text` for fonts and screen readers. */
const languageOf = (text) => (/\p{Script=Han}/u.test(text) ? "zh-CN" : "en");

function bubble(who) {
  const item = element("article", who);
  say(item.appendChild(element("h2", "unseen")), who);
  const body = item.appendChild(element("div", "body"));
  body.dir = "auto";
  return { item, body };
}

/** One question and its answer. */
export class Exchange {
  constructor(id, text, actions) {
    this.id = id;
    this.text = text;
    this.actions = actions;
    this.done = false;
    this.partial = "";
    this.timer = 0;
    const { item, body } = bubble("you");
    body.textContent = text;
    body.lang = languageOf(text);
    this.question = item;
    this.answer = null;
    log.append(item);
    byId("welcome").hidden = true;
  }

  /** Show whether the message has reached the server. */
  sending(on) {
    this.question.classList.toggle("sending", on);
    this.question.querySelector(".state")?.remove();
    if (on) say(this.question.appendChild(element("p", "state")), "sending");
  }

  remove() {
    this.question.remove();
    this.answer?.item.remove();
    clearTimeout(this.timer);
    byId("welcome").hidden = Boolean(log.querySelector("article"));
  }

  open() {
    if (this.answer) return;
    this.answer = bubble("assistant");
    this.answer.item.classList.add("working");
    // A screen reader reads the answer once, when it is whole.
    this.answer.item.setAttribute("aria-busy", "true");
    const dots = this.answer.item.appendChild(element("p", "dots"));
    dots.setAttribute("aria-hidden", "true");
    dots.append(element("span"), element("span"), element("span"));
    this.question.after(this.answer.item);
  }

  /** Add a piece of the answer; null begins it anew. */
  piece(text) {
    this.open();
    this.partial = text === null ? "" : this.partial + text;
    this.timer ||= setTimeout(() => this.paint(this.partial), RENDER_MS);
  }

  paint(text) {
    this.timer = 0;
    this.answer.body.replaceChildren(render(text, codeBlock));
    this.answer.body.lang = languageOf(text);
    toEnd();
  }

  /** Show the finished reply; without one, that there is none. */
  finish({ reply, failed, rateable }) {
    if (this.done) return;
    this.open();
    this.done = true;
    clearTimeout(this.timer);
    const { item } = this.answer;
    item.querySelector(".dots").remove();
    if (failed) {
      item.classList.add("failed");
      say(item.insertBefore(element("p", "state"), this.answer.body), "failed");
    }
    this.paint(reply ?? word("lost"));
    item.classList.remove("working");
    item.removeAttribute("aria-busy");
    const foot = item.appendChild(element("div", "actions"));
    if (failed) {
      const again = foot.appendChild(element("button", "again"));
      again.type = "button";
      say(again, "again");
      again.addEventListener("click", () => this.actions.again(this.text));
    } else {
      foot.append(button("copy", "copy", (made) => copy(reply, made)));
      if (rateable) foot.append(this.rating());
    }
    toEnd();
  }

  rating() {
    const group = element("span", "rating");
    group.setAttribute("role", "group");
    label(group, "rate");
    const made = [["good", 1], ["bad", -1]].map(([key, score]) => button(key, key, () => choose(score)));
    const show = () => made.forEach((one, at) => one.setAttribute("aria-pressed", String(ratings[this.id] === (at ? -1 : 1))));
    const choose = async (score) => {
      const before = ratings[this.id];
      ratings[this.id] = score;
      show();
      const stored = await this.actions.rate(this.id, score);
      if (!stored) ratings[this.id] = before;
      show();
      announce(stored ? "thanks" : "notRated");
      keep("ratings", JSON.stringify(ratings), session);
    };
    show();
    group.append(...made);
    return group;
  }
}

let passing = 0;

/** Say something for a while. */
function announce(key) {
  clearTimeout(passing);
  say(byId("status"), key);
  passing = setTimeout(() => status(""), 4000);
}

/** Say what is going on: a key of WORDS and what fills its gaps, or nothing. */
export function status(key, ...given) {
  line("status", key, given);
}

export function problem(key, ...given) {
  line("problem", key, given);
}

function line(id, key, given) {
  const node = byId(id);
  if (key) {
    // The same words again would be read out again.
    if (node.dataset.word !== key || node.dataset.given !== JSON.stringify(given)) say(node, key, ...given);
  } else if (node.textContent) {
    node.textContent = "";
    delete node.dataset.word;
  }
}
