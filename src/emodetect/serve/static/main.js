// The page: feeds, buttons and status.

import { hasToken, requestJson, setToken, TokenNeeded } from "/static/api.js";
import { CameraFeed } from "/static/camera.js";
import { drawFaces, drawImage, faceText, fitCanvas, placeIn } from "/static/draw.js";
import { Log, Recorder, saveSnapshot } from "/static/save.js";
import { SourceFeed } from "/static/source.js";
import { color, languages, loadTexts, number, shownEmotion, translate, useLanguage } from "/static/texts.js";
import { Timeline } from "/static/timeline.js";

const LIST_MILLISECONDS = 400; // update interval of the list of faces, slow enough for reading
const FADE_MILLISECONDS = 1000; // duration of the last result's display

const get = (id) => document.getElementById(id);
const picture = get("picture");
const timeline = new Timeline(get("timeline"));
const recorder = new Recorder();
const log = new Log();
const view = { isMirrored: false, bars: true };

let feed = null;
let state = null; // key of the status text
let newest = null; // { record, when, roundTrip }
let arrivals = []; // arrival times of the last results, milliseconds
let trips = [];
let listed = 0;

function showState(key) {
  state = key;
  get("state").textContent = key === null ? "" : translate(key);
}

function showProblem(text) {
  get("problem").textContent = text;
  get("problem").hidden = text === "";
}

function showTexts() {
  const { host, hostname } = location;
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  get("privacy").textContent = translate("privacy", { host: isHere ? translate("this_machine", { host }) : host });
  picture.setAttribute("aria-label", translate("picture"));
  get("pause").textContent = translate(feed?.paused ? "resume" : "pause");
  get("record").textContent = translate(recorder.isRunning ? "stop_recording" : "record");
  showState(state);
  listFaces();
}

function fill(select, names) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
}

/** Request the server's options; shows the token form if a token is required. */
async function prepare() {
  try {
    const offers = await requestJson("/v1/options");
    fill(get("backend"), offers.backends);
    fill(get("detector"), offers.detectors);
    get("watch").hidden = !offers.source;
    get("start").classList.toggle("main", !offers.source);
    get("token").hidden = true;
    get("choices").hidden = false;
    showProblem("");
  } catch (error) {
    if (!(error instanceof TokenNeeded)) {
      showProblem(error.message);
      return;
    }
    get("token").hidden = false;
    get("choices").hidden = true;
    showProblem(hasToken() ? translate("token_wrong") : "");
  }
}

const on = {
  state(key) {
    if (feed !== null && !feed.paused) {
      showState(key);
    }
  },
  result(record, roundTrip) {
    const when = performance.now();
    newest = { record, when };
    arrivals = [...arrivals.filter((time) => when - time < 2000), when];
    if (roundTrip !== null) {
      trips = [...trips.slice(-19), roundTrip];
    }
    timeline.add(record);
    log.add(record);
    showProblem("");
  },
  problem: showProblem,
};

async function begin(made) {
  end();
  feed = made;
  view.isMirrored = made.isMirrored;
  get("mirror").setAttribute("aria-pressed", String(view.isMirrored));
  showProblem("");
  try {
    await made.start();
  } catch (error) {
    feed = null;
    showProblem(translate("no_camera", { reason: error.message || error.name }));
    return;
  }
  get("welcome").hidden = get("settings").hidden = false;
  get("welcome").hidden = true;
  get("settings").hidden = !made.hasRoundTrip; // those of the source were set by the server's command line
  get("stage").hidden = get("side").hidden = false;
  get("screen").focus({ preventScroll: true });
  showTexts();
}

function end() {
  if (recorder.isRunning) {
    recorder.toggle(picture);
  }
  feed?.stop();
  feed = null;
  newest = null;
  arrivals = [];
  trips = [];
  timeline.clear();
}

function startCamera() {
  if (!navigator.mediaDevices) {
    showProblem(translate("insecure"));
    return;
  }
  begin(new CameraFeed({ backend: get("backend").value, detector: get("detector").value }, on));
}

function pause() {
  if (feed === null) {
    return;
  }
  feed.freeze(!feed.paused);
  showState(feed.paused ? "paused" : "live");
  showTexts();
}

function toggle(name) {
  view[name] = !view[name];
  get(name === "isMirrored" ? "mirror" : name).setAttribute("aria-pressed", String(view[name]));
}

function record() {
  recorder.toggle(picture);
  showTexts();
}

function draw() {
  requestAnimationFrame(draw);
  const shown = feed?.picture();
  if (!shown) {
    return;
  }
  const width = get("screen").clientWidth;
  const high = Math.min((width * shown.height) / shown.width, 0.78 * window.innerHeight);
  const ratio = fitCanvas(picture, (high * shown.width) / shown.height, high);
  const context = picture.getContext("2d");
  const place = placeIn(picture, shown.width, shown.height);
  drawImage(context, shown, place, view.isMirrored);
  const isFresh = newest !== null && (feed.paused || performance.now() - newest.when < FADE_MILLISECONDS);
  if (isFresh) {
    const scale = place.width / newest.record.width;
    const unit = Math.max(13, Math.min(22, picture.width / ratio / 40)) * ratio;
    const look = { unit, stroke: Math.max(2, unit / 7), boxes: true, labels: true, bars: view.bars, isMirrored: view.isMirrored };
    drawFaces(context, newest.record, { ...place, scale }, look);
  }
  timeline.draw();
  if (performance.now() - listed > LIST_MILLISECONDS) {
    listFaces();
  }
}

function listFaces() {
  listed = performance.now();
  const isFresh = newest !== null && (feed?.paused || listed - newest.when < FADE_MILLISECONDS);
  const faces = isFresh ? newest.record.faces : [];
  const items = faces.map((face) => {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.backgroundColor = color(shownEmotion(face)).ground;
    item.append(swatch, faceText(face));
    return item;
  });
  if (items.length === 0 && feed !== null) {
    items.push(Object.assign(document.createElement("li"), { textContent: translate("no_face") }));
  }
  get("faces").replaceChildren(...items);
  const rate = number(arrivals.filter((time) => listed - time < 2000).length / 2, 1);
  const delay = trips.length ? number([...trips].sort((one, other) => one - other)[Math.floor(trips.length / 2)]) : null;
  get("numbers").textContent = feed === null ? "" : delay === null ? translate("rate", { rate }) : translate("numbers", { rate, delay });
}

function onKey(event) {
  const actions = { " ": pause, s: () => saveSnapshot(picture), r: record, m: () => toggle("isMirrored"), b: () => toggle("bars") };
  const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key.toLowerCase()];
  if (action) {
    event.preventDefault();
    action();
  }
}

await loadTexts(new URLSearchParams(location.search).get("language"));
get("language").replaceChildren(...languages().map(({ code, name, isCurrent }) => new Option(name, code, isCurrent, isCurrent)));
get("language").addEventListener("change", ({ target }) => { useLanguage(target.value, { remember: true }); showTexts(); });
get("token").addEventListener("submit", (event) => { event.preventDefault(); setToken(get("token-value").value); prepare(); });
get("start").addEventListener("click", startCamera);
get("watch").addEventListener("click", () => begin(new SourceFeed(on)));
get("pause").addEventListener("click", pause);
get("snapshot").addEventListener("click", () => saveSnapshot(picture));
get("record").addEventListener("click", record);
get("log").addEventListener("click", () => log.save());
get("mirror").addEventListener("click", () => toggle("isMirrored"));
get("bars").addEventListener("click", () => toggle("bars"));
get("stop").addEventListener("click", () => {
  end();
  showState("stopped");
  get("stage").hidden = get("side").hidden = true;
  get("welcome").hidden = false;
  get("start").focus();
});
get("backend").addEventListener("change", startCamera);
get("detector").addEventListener("change", startCamera);
get("screen").addEventListener("keydown", onKey);
showTexts();
await prepare();
requestAnimationFrame(draw);
document.documentElement.dataset.ready = "true";
