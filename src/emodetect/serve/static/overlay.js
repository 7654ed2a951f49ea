// Boxes, labels and bars on a transparent background, for the browser source of OBS. Query parameters:
// ?source=server|camera &boxes=0|1 &labels=0|1 &bars=0|1 &mirror=0|1 &fit=contain|cover &size=PIXELS &line=PIXELS &language=CODE
// and, for the camera, &backend=NAME &detector=NAME.

import { hasToken, requestJson, setToken, TokenNeeded } from "/static/api.js";
import { CameraFeed } from "/static/camera.js";
import { drawFaces, fitCanvas, placeIn } from "/static/draw.js";
import { SourceFeed } from "/static/source.js";
import { loadTexts, translate } from "/static/texts.js";

const FADE_MILLISECONDS = 1000;

const get = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const picture = get("picture");

const isOn = (name, usual) => (asked.has(name) ? !["0", "no", "false"].includes(asked.get(name)) : usual);

function inRange(name, usual, min, max) {
  const value = Number(asked.get(name));
  return asked.has(name) && Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : usual;
}

let newest = null;

const on = {
  state: (key) => { get("state").textContent = key === "live" ? "" : translate(key); },
  result: (record) => { newest = { record, when: performance.now() }; },
  problem: (text) => { get("state").textContent = text; },
};

function draw() {
  requestAnimationFrame(draw);
  const ratio = fitCanvas(picture, window.innerWidth, window.innerHeight);
  const context = picture.getContext("2d");
  context.clearRect(0, 0, picture.width, picture.height);
  if (newest === null || performance.now() - newest.when > FADE_MILLISECONDS) {
    return;
  }
  const { record } = newest;
  const look = {
    unit: inRange("size", 22, 6, 200) * ratio,
    stroke: inRange("line", 3, 1, 40) * ratio,
    boxes: isOn("boxes", true),
    labels: isOn("labels", true),
    bars: isOn("bars", false),
    isMirrored: isOn("mirror", false),
  };
  drawFaces(context, record, placeIn(picture, record.width, record.height, asked.get("fit") ?? "contain"), look);
}

async function begin() {
  try {
    const { source } = await requestJson("/v1/options");
    get("token").hidden = true;
    const wanted = asked.get("source") ?? (source ? "server" : "camera");
    const choice = Object.fromEntries(["backend", "detector"].filter((name) => asked.has(name)).map((name) => [name, asked.get(name)]));
    const feed = wanted === "camera" ? new CameraFeed(choice, on) : new SourceFeed(on, { pictures: false });
    await feed.start();
  } catch (error) {
    if (error instanceof TokenNeeded) {
      get("token").hidden = false;
      get("state").textContent = translate(hasToken() ? "token_wrong" : "token_needed");
    } else {
      get("state").textContent = error.message;
    }
  }
}

await loadTexts(asked.get("language"));
picture.setAttribute("aria-label", translate("picture"));
get("token").addEventListener("submit", (event) => { event.preventDefault(); setToken(get("token-value").value); begin(); });
await begin();
requestAnimationFrame(draw);
document.documentElement.dataset.ready = "true";
