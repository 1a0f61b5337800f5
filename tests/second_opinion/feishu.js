// Feishu's own SDK for Node.js on a port of this machine: what it takes as an event, what it makes of an encrypted
// text, and requests built without any code of this project. Arguments: Encrypt Key, Verification Token.
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");
const lark = require("@larksuiteoapi/node-sdk");

const [encryptKey, verificationToken] = process.argv.slice(2);
const WEBHOOK = "/feishu/webhook";
const silent = Object.fromEntries(["error", "warn", "info", "debug", "trace"].map((level) => [level, () => {}]));
const taken = [];
const dispatcher = new lark.EventDispatcher({ encryptKey, verificationToken, logger: silent }).register({
  "im.message.receive_v1": async (event) => {
    taken.push(event);
    return { taken: event.message.message_id };
  },
});
const adapter = lark.adaptDefault(WEBHOOK, dispatcher, { autoChallenge: true });

function encrypt(plain) {
  const iv = crypto.randomBytes(16);
  const key = crypto.createHash("sha256").update(encryptKey).digest();
  const cipher = crypto.createCipheriv("aes-256-cbc", key, iv);
  return Buffer.concat([iv, cipher.update(plain, "utf8"), cipher.final()]).toString("base64");
}

// The SDK encrypts and signs nothing: Node.js does it, and the SDK has to agree before the request is given away.
function request(event) {
  const plain = JSON.stringify(event);
  const body = { encrypt: encrypt(plain) };
  if (new lark.AESCipher(encryptKey).decrypt(body.encrypt) !== plain) throw new Error("the SDK decrypts another text");
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = crypto.randomBytes(8).toString("hex");
  const text = JSON.stringify(body);
  const signature = crypto.createHash("sha256").update(timestamp + nonce + encryptKey + text).digest("hex");
  const headers = {
    "x-lark-request-timestamp": timestamp,
    "x-lark-request-nonce": nonce,
    "x-lark-signature": signature,
  };
  if (!dispatcher.requestHandle.checkIsEventValidated(Object.assign(Object.create({ headers }), body)))
    throw new Error("the SDK refuses the signature");
  return { body: text, headers };
}

const pages = {
  "/request": (given) => request(given),
  "/decrypt": (given) => ({ plain: new lark.AESCipher(given.key).decrypt(given.encrypted) }),
  "/taken": () => taken.splice(0),
};

const server = http.createServer((asked, answer) => {
  if (asked.url === WEBHOOK) {
    adapter(asked, answer).catch((error) => answer.writeHead(500).end(String(error)));
    return;
  }
  const chunks = [];
  asked.on("data", (chunk) => chunks.push(chunk));
  asked.on("end", () => {
    try {
      const made = pages[asked.url](JSON.parse(Buffer.concat(chunks).toString("utf8")));
      answer.setHeader("Content-Type", "application/json");
      answer.end(JSON.stringify(made));
    } catch (error) {
      answer.writeHead(400).end(String(error));
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })));
process.stdin.resume().on("end", () => process.exit(0));
