// The server's own source: its pictures and results, fetched by script, so that requests can carry the token.

import { Backoff, request } from "/static/api.js";

export class SourceFeed {
  #stopping = new AbortController();
  #picture = null;
  #records = new Map(); // results by frame number, until their picture arrives
  paused = false;

  /** `on` as for the camera. Without `pictures` only results are requested. */
  constructor(on, { pictures = true } = {}) {
    this.on = on;
    this.hasRoundTrip = false;
    this.isMirrored = false;
    this.withPictures = pictures;
  }

  async start() {
    const streams = [this.#follow("/v1/events", (body) => this.#readEvents(body))];
    if (this.withPictures) {
      streams.push(this.#follow("/v1/live.mjpg", (body) => this.#readPictures(body)));
    }
    this.on.state("connecting");
    Promise.all(streams);
  }

  stop() {
    this.#stopping.abort();
  }

  picture() {
    return this.#picture;
  }

  freeze(frozen) {
    this.paused = frozen;
  }

  /** Read an endless response, and reconnect when it ends. */
  async #follow(path, read) {
    const backoff = new Backoff();
    const signal = this.#stopping.signal;
    while (!signal.aborted) {
      try {
        const response = await request(path, { signal });
        backoff.reset();
        if ((await read(response.body.getReader())) === "ended") {
          return;
        }
      } catch (error) {
        if (!signal.aborted) {
          console.debug(path, error.message);
        }
      }
      if (!signal.aborted) {
        this.on.state("reconnecting");
        await backoff.wait(signal);
      }
    }
  }

  async #readEvents(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return "lost";
      }
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const fields = Object.fromEntries(event.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
        if (fields.event === "end") {
          this.on.state("ended");
          return "ended";
        }
        if (fields.data && !this.paused) {
          this.on.state("live");
          this.#take(JSON.parse(fields.data));
        }
      }
    }
  }

  #take(record) {
    if (!this.withPictures) {
      this.on.result(record, null);
      return;
    }
    this.#records.set(record.frame, record);
    if (this.#records.size > 100) {
      this.#records.delete(this.#records.keys().next().value);
    }
    this.#show();
  }

  /** Report the result of the displayed picture, or the last one before it. */
  #show() {
    if (this.#picture === null) {
      return;
    }
    const due = [...this.#records.keys()].filter((frame) => frame <= this.#picture.frame);
    if (due.length) {
      this.on.result(this.#records.get(Math.max(...due)), null);
      due.forEach((frame) => this.#records.delete(frame));
    }
  }

  async #readPictures(reader) {
    let buffer = new Uint8Array();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return "lost";
      }
      buffer = joined(buffer, value);
      for (let part = firstPart(buffer); part !== null; part = firstPart(buffer)) {
        buffer = buffer.slice(part.end);
        if (!this.paused) {
          const image = await createImageBitmap(new Blob([part.content], { type: "image/jpeg" }));
          this.#picture?.image.close();
          this.#picture = { image, width: image.width, height: image.height, frame: part.frame };
          this.#show();
        }
      }
    }
  }
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** First complete part of a multipart stream, and its end; null if it is incomplete. */
function firstPart(buffer) {
  const head = new TextDecoder("latin1").decode(buffer.subarray(0, 500));
  const end = head.indexOf("\r\n\r\n");
  if (end < 0) {
    return null;
  }
  const start = end + 4;
  const length = Number(/content-length: (\d+)/i.exec(head)[1]);
  if (buffer.length < start + length + 2) {
    return null;
  }
  return { content: buffer.slice(start, start + length), frame: Number(/x-frame: (\d+)/i.exec(head)[1]), end: start + length + 2 };
}
