// The browser's camera: frames are sent to this server, and results received, over one WebSocket.

import { openSocket, Backoff } from "/static/api.js";

const MAX_SIDE = 640; // pixels of a sent frame; enough for faces of 10% of the height
const MAX_IN_FLIGHT = 2; // one is analyzed while the next one is sent
const MAX_FPS = 30;
const QUALITY = 0.8;

export class CameraFeed {
  #stopping = new AbortController();
  #stream = null;
  #video = document.createElement("video");
  #canvas = document.createElement("canvas");
  #sent = new Map(); // sending time of each frame without a response, milliseconds
  #number = 0;
  #last = 0;
  paused = false;

  /** Callbacks in `on`: state(key, values), result(record, roundTrip) and problem(message). */
  constructor(choice, on) {
    this.choice = choice;
    this.on = on;
    this.hasRoundTrip = true;
    this.isMirrored = true;
  }

  async start() {
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false });
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    this.#run();
  }

  stop() {
    this.#stopping.abort();
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#video.srcObject = null;
  }

  /** The image to draw, or null. */
  picture() {
    return this.#video.videoWidth ? { image: this.#video, width: this.#video.videoWidth, height: this.#video.videoHeight } : null;
  }

  freeze(frozen) {
    this.paused = frozen;
    if (frozen) {
      this.#video.pause();
    } else {
      this.#video.play();
    }
  }

  async #run() {
    const backoff = new Backoff();
    let isFirst = true;
    while (!this.#stopping.signal.aborted) {
      this.on.state(isFirst ? "connecting" : "reconnecting");
      isFirst = false;
      await this.#session(backoff);
      if (!this.#stopping.signal.aborted) {
        this.on.state("reconnecting");
        await backoff.wait(this.#stopping.signal);
      }
    }
  }

  /** Run one connection until it is closed. */
  #session(backoff) {
    const socket = openSocket(`/v1/stream?${new URLSearchParams(this.choice)}`);
    const signal = this.#stopping.signal;
    this.#sent.clear();
    const beat = setInterval(() => this.#offer(socket), 1000 / MAX_FPS / 2);
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => socket.close(), { once: true });
      socket.addEventListener("open", () => { backoff.reset(); this.on.state("live"); });
      socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(data), socket));
      socket.addEventListener("close", () => { clearInterval(beat); resolve(); });
    });
  }

  #take(answer, socket) {
    const sent = this.#sent.get(answer.frame);
    for (const number of [...this.#sent.keys()].filter((one) => one <= answer.frame)) {
      this.#sent.delete(number);
    }
    if (answer.error !== undefined) {
      this.on.problem(answer.error);
    } else if (!this.paused) {
      this.on.result(answer, performance.now() - sent);
    }
    this.#offer(socket);
  }

  /** Send the camera's current frame, if one is due. */
  #offer(socket) {
    const now = performance.now();
    const isReady = socket.readyState === WebSocket.OPEN && this.#video.videoWidth > 0 && !this.paused;
    if (!isReady || this.#sent.size >= MAX_IN_FLIGHT || now - this.#last < 1000 / MAX_FPS || socket.bufferedAmount > 1e6) {
      return;
    }
    this.#last = now;
    const number = this.#number++;
    this.#sent.set(number, now);
    const scale = Math.min(1, MAX_SIDE / Math.max(this.#video.videoWidth, this.#video.videoHeight));
    this.#canvas.width = Math.round(this.#video.videoWidth * scale);
    this.#canvas.height = Math.round(this.#video.videoHeight * scale);
    this.#canvas.getContext("2d").drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    this.#canvas.toBlob((blob) => {
      if (blob === null || socket.readyState !== WebSocket.OPEN) {
        this.#sent.delete(number);
        return;
      }
      socket.send(JSON.stringify({ frame: number }));
      socket.send(blob);
    }, "image/jpeg", QUALITY);
  }
}
