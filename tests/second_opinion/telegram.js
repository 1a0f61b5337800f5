// telegram-test-api on two ports of this machine: as it is, and with its answers corrected to what the Bot API documents,
// without which no library for bots can read them. README.md beside this file lists every correction.
"use strict";
const http = require("node:http");
const net = require("node:net");
const TelegramServer = require("telegram-test-api");

const HOST = "127.0.0.1";
const KEPT_SECONDS = 3600;
// Methods that telegram-test-api lacks and whose documented result is True.
const ACKNOWLEDGED = new Set([
  "sendchataction",
  "setmycommands",
  "deletemycommands",
  "setchatmenubutton",
  "setmessagereaction",
]);
const seconds = () => Math.floor(Date.now() / 1000);

function chatOf(given) {
  const id = Number(given.get("chat_id"));
  return { id, type: id < 0 ? "group" : "private" };
}

const corrections = {
  getme: (result) => ({ ...result, is_bot: true }),
  sendmessage: (result, given) => ({
    message_id: result.message_id,
    date: Math.floor(result.date / 1000),
    chat: chatOf(given),
    text: result.text,
    ...(result.reply_markup && { reply_markup: result.reply_markup }),
  }),
  editmessagetext: (_, given) => ({
    message_id: Number(given.get("message_id")),
    date: seconds(),
    edit_date: seconds(),
    chat: chatOf(given),
    text: given.get("text"),
  }),
  editmessagereplymarkup: (_, given) => ({
    message_id: Number(given.get("message_id")),
    date: seconds(),
    chat: chatOf(given),
  }),
};

function corrected(method, given, status, text) {
  const answer = JSON.parse(text);
  if (status !== 200) {
    if (ACKNOWLEDGED.has(method)) return [200, { ok: true, result: true }];
    return [404, { ok: false, error_code: 404, description: "Not Found: method not found" }];
  }
  if (!answer.ok) return [answer.error_code, answer];
  const correct = corrections[method] ?? ((result) => result ?? true);
  return [200, { ok: true, result: correct(answer.result, given) }];
}

function ask(port, asked, body) {
  return new Promise((resolve, reject) => {
    const headers = { ...asked.headers, connection: "close", "content-length": body.length };
    delete headers["transfer-encoding"];
    const passed = http.request({ host: HOST, port, path: asked.url, method: asked.method, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve([answer.statusCode, Buffer.concat(chunks).toString("utf8")]));
    });
    passed.on("error", reject).end(body);
  });
}

// POST /_say: a user writes, through the package's own client. Everything else goes to the server behind.
async function answer(server, port, asked, body) {
  if (asked.url === "/_say") {
    const { token, chat, user, text, command, callback } = JSON.parse(body);
    const client = server.getClient(token, { chatId: chat, userId: user });
    if (callback) return [200, await client.sendCallback(client.makeCallbackQuery(callback))];
    if (command) return [200, await client.sendCommand(client.makeCommand(text))];
    return [200, await client.sendMessage(client.makeMessage(text))];
  }
  const [status, text] = await ask(port, asked, body);
  const method = /^\/bot[^/]+\/(\w+)/.exec(asked.url)?.[1].toLowerCase();
  if (!method) return [status, JSON.parse(text)];
  return corrected(method, new URLSearchParams(body.toString("utf8")), status, text);
}

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, HOST, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function main() {
  const port = await freePort();
  const server = new TelegramServer({ port, host: HOST, storeTimeout: KEPT_SECONDS });
  await server.start();
  const front = http.createServer((asked, reply) => {
    const chunks = [];
    asked.on("data", (chunk) => chunks.push(chunk));
    asked.on("end", () => {
      answer(server, port, asked, Buffer.concat(chunks))
        .catch((error) => [500, { message: String(error) }])
        .then(([status, value]) => {
          reply.writeHead(status, { "Content-Type": "application/json" });
          reply.end(JSON.stringify(value));
        });
    });
  });
  front.listen(0, HOST, () => {
    const url = `http://${HOST}:${front.address().port}`;
    console.log(JSON.stringify({ url, uncorrected: `http://${HOST}:${port}` }));
  });
}

process.stdin.resume().on("end", () => process.exit(0));
main();
