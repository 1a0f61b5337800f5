// Markdown as models write it, made into elements. Every text becomes a text node: nothing is read as HTML.

const DEEPEST = 5;
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]{0,30})[ \t]*$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;
const TABLE_LINE = /^[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
// One pair of brackets may stand in an address.
const ADDRESS = "https?:\\/\\/(?:[^\\s<>\"()\\[\\]]|\\([^\\s<>\"()\\[\\]]*\\))+";
const LINK = new RegExp(`!?\\[([^\\[\\]\\n]{1,300})\\]\\((${ADDRESS})\\)`, "y");
// In a Chinese sentence no space ends an address that stands by itself: the first character beyond ASCII does.
const BARE = /https?:\/\/(?:[^\s<>"()[\]*`\u0080-\uffff]|\([^\s<>"()[\]*`\u0080-\uffff]*\))+/y;
const MARKS = { "**": "strong", "__": "strong", "~~": "del", "*": "em", "_": "em" };

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Return a fragment that shows `text`; `codeBlock(text, language)` makes the element of a block of code. */
export function render(text, codeBlock) {
  const fragment = document.createDocumentFragment();
  blocks(fragment, text.replaceAll("\r\n", "\n").split("\n"), 0, codeBlock);
  return fragment;
}

function blocks(parent, lines, depth, codeBlock) {
  let at = 0;
  const take = (good) => {
    const from = at;
    while (at < lines.length && good(lines[at])) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const [fence, heading] = [FENCE.exec(line), HEADING.exec(line)];
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      at += 1;
      const code = take((one) => !(one.trim().startsWith(fence[1]) && !one.trim().replaceAll(fence[1][0], "")));
      at += 1;
      parent.append(codeBlock(code.join("\n"), fence[2]));
    } else if (heading) {
      at += 1;
      inline(parent.appendChild(element(`h${Math.min(6, heading[1].length + 2)}`)), heading[2], 0);
    } else if (RULE.test(line)) {
      at += 1;
      parent.append(element("hr"));
    } else if (depth < DEEPEST && QUOTE.test(line)) {
      const inner = take((one) => QUOTE.test(one)).map((one) => one.replace(QUOTE, ""));
      blocks(parent.appendChild(element("blockquote")), inner, depth + 1, codeBlock);
    } else if (depth < DEEPEST && ITEM.test(line)) {
      at = list(parent, lines, at, depth, codeBlock);
    } else if (line.includes("|") && at + 1 < lines.length && lines[at + 1].includes("|") && TABLE_LINE.test(lines[at + 1])) {
      table(parent, take((one) => one.includes("|")));
    } else {
      let first = true;
      const text = take((one) => {
        const goes = first || (one.trim() && !starts(one, depth));
        first = false;
        return goes;
      });
      inline(parent.appendChild(element("p")), text.join("\n"), 0);
    }
  }
}

function starts(line, depth) {
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line)) return true;
  return depth < DEEPEST && (QUOTE.test(line) || ITEM.test(line));
}

/** Append the list that begins at line `at`; returns the line after it. */
function list(parent, lines, at, depth, codeBlock) {
  const first = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first[2]);
  const made = parent.appendChild(element(ordered ? "ol" : "ul"));
  if (ordered) made.start = Number.parseInt(first[2], 10);
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length > first[1].length + 1 || /\d/.test(item[2]) !== ordered) break;
    const inner = [lines[at].slice(item[0].length)];
    at += 1;
    // What is indented further belongs to the item, also after an empty line.
    while (at < lines.length) {
      const blank = !lines[at].trim();
      const probe = blank ? lines[at + 1] ?? "" : lines[at];
      const indent = probe.length - probe.trimStart().length;
      if (!probe.trim() || indent <= item[1].length) {
        // A line that goes on without an indent is the item's, too, unless it begins something.
        if (blank || !probe.trim() || starts(probe, depth)) break;
      }
      inner.push(lines[at].slice(Math.min(lines[at].length - lines[at].trimStart().length, item[0].length)));
      at += 1;
    }
    blocks(made.appendChild(element("li")), inner, depth + 1, codeBlock);
    while (at + 1 < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1])) at += 1;
  }
  return at;
}

function table(parent, lines) {
  const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").slice(0, 50);
  const frame = parent.appendChild(element("div", "table"));
  frame.tabIndex = 0;
  const made = frame.appendChild(element("table"));
  lines.forEach((line, number) => {
    if (number === 1) return;
    const row = made.appendChild(element("tr"));
    for (const cell of cells(line)) inline(row.appendChild(element(number ? "td" : "th")), cell.trim(), 0);
  });
}

function link(href, label) {
  const made = element("a", "", label);
  made.href = href;
  made.rel = "noopener noreferrer nofollow";
  made.target = "_blank";
  made.title = href;
  return made;
}

/** Append `text` with its emphasis, code and links. What is not closed stays as it is written. */
function inline(parent, text, depth) {
  const missing = new Set(); // marks that do not come again: each is looked for once
  let plain = "";
  let at = 0;
  const put = (node, next) => {
    if (plain) parent.append(plain);
    plain = "";
    parent.append(node);
    at = next;
  };
  const sticky = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  while (at < text.length) {
    const char = text[at];
    let found = null;
    if (char === "\\" && /[\\`*_~[\]()#+.!|>-]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
    } else if (char === "\n") {
      put(element("br"), at + 1);
    } else if (char === "`") {
      const mark = /`+/y;
      mark.lastIndex = at;
      const ticks = mark.exec(text)[0];
      const end = missing.has(ticks) ? -1 : text.indexOf(ticks, at + ticks.length);
      if (end < 0) {
        missing.add(ticks);
        plain += ticks;
        at += ticks.length;
      } else put(element("code", "", text.slice(at + ticks.length, end).trim() || " "), end + ticks.length);
    } else if ((char === "[" || char === "!") && (found = sticky(LINK))) {
      put(link(found[2], found[1]), at + found[0].length);
    } else if (char === "h" && !/\w/.test(text[at - 1] ?? "") && (found = sticky(BARE))) {
      const address = found[0].replace(/[.,;:!?'_~]+$/, "");
      put(link(address, address), at + address.length);
    } else if (depth < DEEPEST && "*_~".includes(char)) {
      const mark = MARKS[text.slice(at, at + 2)] ? text.slice(at, at + 2) : char;
      const end = MARKS[mark] ? closing(text, at, mark, missing) : -1;
      if (end < 0) {
        plain += mark;
        at += mark.length;
      } else {
        const made = element(MARKS[mark]);
        inline(made, text.slice(at + mark.length, end), depth + 1);
        put(made, end + mark.length);
      }
    } else {
      plain += char;
      at += 1;
    }
  }
  if (plain) parent.append(plain);
}

/** Return where the emphasis that `mark` opens at `at` ends, or -1. */
function closing(text, at, mark, missing) {
  const inWord = mark.includes("_") && /[\p{L}\p{N}]/u.test(text[at - 1] ?? "");
  if (inWord || missing.has(mark) || /\s/.test(text[at + mark.length] ?? " ")) return -1;
  let end = text.indexOf(mark, at + mark.length);
  for (let tries = 0; end >= 0 && tries < 8; tries += 1) {
    const double = mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark);
    const inName = mark.includes("_") && /[\p{L}\p{N}]/u.test(text[end + mark.length] ?? "");
    if (end > at + mark.length && !double && !inName && !/\s/.test(text[end - 1])) return end;
    end = text.indexOf(mark, end + (double ? 2 : 1));
  }
  if (end < 0) missing.add(mark);
  return -1;
}
