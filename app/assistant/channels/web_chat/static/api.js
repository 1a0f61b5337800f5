// The requests to the server.

/** The server said no; `status` is 0 when it could not be asked. */
export class Refused extends Error {
  constructor(status, retryAfter = 0) {
    super(String(status));
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may work later without anybody's doing: no connection, or a server that starts. */
  get passing() {
    return this.status === 0 || this.status >= 500;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  }
  if (!response.ok) throw new Refused(response.status, Number(response.headers.get("Retry-After")) || 0);
  return response;
}

function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const enter = (code) => send("/chat/access", { code });
export const post = (id, text, language) => send("/chat/messages", { id, text, language });
export const rate = (id, score) => send("/chat/ratings", { id, score });
export const forget = () => ask("/chat/conversation", { method: "DELETE" });

export async function read() {
  const response = await ask("/chat/messages");
  try {
    return (await response.json()).messages;
  } catch {
    throw new Refused(0);
  }
}

/** Yield what the server tells of the message `id` while it is answered; the stream may end early. */
export async function* follow(id, signal) {
  const response = await ask(`/chat/messages/${id}/stream`, { signal });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) yield JSON.parse(line);
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  } finally {
    reader.cancel().catch(() => {});
  }
}
