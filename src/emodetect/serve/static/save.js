// Downloads of the browser: snapshots, recordings and the log. The server stores nothing.

const MAX_LINES = 200_000; // more than an hour; older lines are dropped

function stamp() {
  return new Date().toISOString().slice(0, 19).replaceAll(":", "-");
}

export function download(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `emodetect-${stamp()}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveSnapshot(canvas) {
  canvas.toBlob((blob) => download(blob, "png"), "image/png");
}

/** Records log lines in the format of `emodetect live --log`. */
export class Log {
  #lines = [];

  add({ frame, time, faces }) {
    this.#lines.push(JSON.stringify({ frame, time, faces }));
    if (this.#lines.length > MAX_LINES) {
      this.#lines.splice(0, MAX_LINES / 10);
    }
  }

  save() {
    download(new Blob(this.#lines.map((line) => `${line}\n`), { type: "application/jsonl" }), "jsonl");
  }
}

export class Recorder {
  #recorder = null;

  get isRunning() {
    return this.#recorder !== null;
  }

  toggle(canvas) {
    if (this.#recorder !== null) {
      this.#recorder.stop();
      this.#recorder = null;
      return;
    }
    const parts = [];
    const recorder = new MediaRecorder(canvas.captureStream(30));
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    recorder.addEventListener("stop", () => {
      const kind = recorder.mimeType.includes("mp4") ? "mp4" : "webm";
      download(new Blob(parts, { type: recorder.mimeType }), kind);
    });
    recorder.start(1000);
    this.#recorder = recorder;
  }
}
