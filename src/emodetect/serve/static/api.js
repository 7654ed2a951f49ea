// Requests to this server, with the token if required. There are no requests to other hosts.

const KEY = "emodetect.token";
const SUBPROTOCOL = "emodetect.v1";

export class TokenNeeded extends Error {}

export function setToken(token) {
  sessionStorage.setItem(KEY, token);
}

export function hasToken() {
  return Boolean(sessionStorage.getItem(KEY));
}

function headers() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Fetch a response; an error response throws an `Error` with its message. */
export async function request(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers(), cache: "no-store" });
  if (response.status === 401) {
    throw new TokenNeeded();
  }
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({ error: `HTTP ${response.status}` }));
    throw new Error(error);
  }
  return response;
}

export async function requestJson(path) {
  return (await request(path)).json();
}

/** Open a WebSocket; the token is sent as a subprotocol, since browsers allow no custom headers. */
export function openSocket(path) {
  const address = new URL(path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const token = sessionStorage.getItem(KEY);
  const protocols = [SUBPROTOCOL];
  if (token) {
    const letters = btoa(String.fromCharCode(...new TextEncoder().encode(token)));
    protocols.push(`emodetect.token.${letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`);
  }
  return new WebSocket(address, protocols);
}

/** Back-off after consecutive failures, up to five seconds. */
export class Backoff {
  #failures = 0;

  reset() {
    this.#failures = 0;
  }

  wait(signal) {
    const milliseconds = Math.min(5000, 250 * 2 ** this.#failures++);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
    });
  }
}
