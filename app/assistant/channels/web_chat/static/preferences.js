// Language and colours: the browser's, until somebody chooses.

import { WORDS } from "./words.js";

const root = document.documentElement;
const button = (id) => document.getElementById(id);
const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
let language = (recall("language") || navigator.language || "en").startsWith("zh") ? "zh" : "en";

/** Keep something in the browser; one that keeps nothing is no fault. */
export function keep(name, value, place = () => localStorage) {
  try {
    if (value === null) place().removeItem(name);
    else place().setItem(name, value);
  } catch {
    // Private windows of some browsers refuse.
  }
}

export function recall(name, place = () => localStorage) {
  try {
    return place().getItem(name);
  } catch {
    return null;
  }
}

export const currentLanguage = () => language;

/** Return the page's word for `key`, in the present language. */
export function word(key, ...given) {
  const found = WORDS[language][key];
  return typeof found === "function" ? found(...given) : found;
}

/** Make `node` say `key` now and after a change of language; `given` fills its gaps. */
export function say(node, key, ...given) {
  node.dataset.word = key;
  node.dataset.given = JSON.stringify(given);
  node.textContent = word(key, ...given);
}

export function label(node, key) {
  node.dataset.label = key;
  node.setAttribute("aria-label", word(key));
  if (node.tagName === "BUTTON") node.title = word(key);
}

export function translate() {
  root.lang = word("code");
  document.title = word("title");
  for (const node of document.querySelectorAll("[data-word]")) say(node, node.dataset.word, ...JSON.parse(node.dataset.given ?? "[]"));
  for (const node of document.querySelectorAll("[data-label]")) label(node, node.dataset.label);
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = word(node.dataset.placeholder);
  button("language").textContent = word("other");
  button("language").lang = word("otherCode");
  button("language").setAttribute("aria-label", word("otherLabel"));
  showTheme();
}

const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);

function showTheme() {
  label(button("theme"), dark() ? "toLight" : "toDark");
  button("theme").dataset.shows = dark() ? "sun" : "moon";
}

button("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  keep("language", language);
  translate();
});
button("theme").addEventListener("click", () => {
  const wanted = dark() ? "light" : "dark";
  // Who chooses what the system says follows the system again.
  if ((wanted === "dark") === systemDark.matches) delete root.dataset.theme;
  else root.dataset.theme = wanted;
  keep("theme", root.dataset.theme ?? null);
  showTheme();
});
systemDark.addEventListener("change", showTheme);
