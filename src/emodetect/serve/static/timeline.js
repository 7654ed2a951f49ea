// Timeline of the last minute per person: the color is the emotion, the height the confidence.

import { fitCanvas } from "/static/draw.js";
import { color, shownEmotion, translate } from "/static/texts.js";

const SECONDS = 60;
const MAX_PEOPLE = 6;
const MAX_DURATION = 0.5; // maximum duration of a reading, seconds

export class Timeline {
  #readings = []; // { when: seconds, id, key, confidence }, in order

  constructor(canvas) {
    this.canvas = canvas;
  }

  clear() {
    this.#readings = [];
  }

  add(record) {
    const when = performance.now() / 1000;
    for (const face of record.faces) {
      this.#readings.push({ when, id: face.id, key: shownEmotion(face), confidence: face.confidence ?? 0 });
    }
    const old = this.#readings.findIndex((reading) => when - reading.when <= SECONDS);
    this.#readings.splice(0, old < 0 ? this.#readings.length : old);
  }

  /** The people to show: the most recent ones. */
  people() {
    return [...new Set(this.#readings.map((reading) => reading.id).reverse())].slice(0, MAX_PEOPLE).sort((one, other) => one - other);
  }

  draw() {
    const ratio = fitCanvas(this.canvas, this.canvas.clientWidth, this.canvas.clientHeight);
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    const people = this.people();
    const row = height / Math.max(people.length, 1);
    const now = performance.now() / 1000;
    const font = 12 * ratio;
    context.clearRect(0, 0, width, height);
    const step = width / SECONDS;
    const followers = new Map(); // time of the next reading of each person
    for (const reading of [...this.#readings].reverse()) {
      const place = people.indexOf(reading.id);
      if (place >= 0) {
        const lasted = Math.min((followers.get(reading.id) ?? now) - reading.when, MAX_DURATION);
        followers.set(reading.id, reading.when);
        const high = (row - 2 * ratio) * reading.confidence;
        context.fillStyle = color(reading.key).ground;
        context.fillRect(width - (now - reading.when) * step, (place + 1) * row - high, Math.max(ratio, lasted * step + ratio), high);
      }
    }
    context.font = `${font}px system-ui, "Noto Sans CJK KR", sans-serif`;
    context.textBaseline = "top";
    people.forEach((id, place) => {
      const text = translate("person", { number: id });
      context.fillStyle = "#000a";
      context.fillRect(0, place * row, context.measureText(text).width + font, 1.5 * font);
      context.fillStyle = "#fff";
      context.fillText(text, font / 2, place * row + 0.25 * font);
    });
  }
}
