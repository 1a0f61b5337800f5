// The page that asks for the access code.

import * as api from "./api.js";
import { say, word } from "./preferences.js";

const byId = (id) => document.getElementById(id);

/** Show the conversation or the question for the code. */
export function show(chat) {
  byId("chat").hidden = !chat;
  byId("gate").hidden = chat;
  byId("fresh").hidden = !chat;
  document.querySelector(".skip").hash = chat ? "#text" : "#code";
}

/** Ask for the code until it is right. */
export function ask() {
  show(false);
  byId("code").focus();
  return new Promise((resolve) => {
    byId("access").onsubmit = async (event) => {
      event.preventDefault();
      const problem = byId("access-problem");
      problem.textContent = "";
      delete problem.dataset.word;
      try {
        await api.enter(byId("code").value);
      } catch (error) {
        if (error.status === 429) say(problem, "slow", Math.max(1, Math.ceil(error.retryAfter / 60)));
        else say(problem, error.passing ? "offline" : "wrong");
        byId("code").select();
        return;
      }
      byId("code").value = "";
      byId("reveal").checked = false;
      byId("code").type = "password";
      show(true);
      byId("text").focus();
      resolve();
    };
  });
}

byId("reveal").addEventListener("change", () => {
  byId("code").type = byId("reveal").checked ? "text" : "password";
});
byId("access").addEventListener("invalid", () => say(byId("access-problem"), "accessText"), true);
byId("code").addEventListener("input", () => {
  byId("access-problem").textContent = "";
  delete byId("access-problem").dataset.word;
});
