// Synchronizes the clip (or the stills), the timelines and the list of changes.
const video = document.querySelector("video");
const still = document.getElementById("still");
const strip = document.querySelector(".strip");
const tracks = [...document.querySelectorAll(".track")];
const readout = document.getElementById("now");
const announcement = document.getElementById("announcement");
const boxes = document.getElementById("boxes");
const span = Math.max(data.end - data.start, data.step);
const MAX_READINGS = 4;
let now = data.start;
let chosen = 0; // person whose timeline was used last
let next = 0; // animation frame request while the clip plays
let announced = 0; // time of the last announcement to assistive technology, milliseconds

const clamp = (time) => Math.min(Math.max(time, data.start), data.end);
const isPlaying = () => video && !video.paused && !video.ended;

// Interactive elements are created by the script, so that none is inert without it.
document.documentElement.classList.add("scripted");
tracks.forEach((track) => {
  const attributes = {
    role: "slider", tabindex: 0, "aria-label": `Timeline of person ${track.dataset.person}`,
    "aria-orientation": "horizontal", "aria-valuemin": data.start, "aria-valuemax": data.end,
  };
  for (const [name, value] of Object.entries(attributes)) track.setAttribute(name, value);
});
document.querySelectorAll(".moment").forEach((moment) => {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.time = moment.dataset.time;
  button.setAttribute("aria-label", `Go to ${clock(Number(moment.dataset.time))}`);
  button.append(...moment.childNodes);
  moment.replaceWith(button);
});
const stills = strip ? [...strip.querySelectorAll("button")] : [];
const drawBoxes = boxes && boxesOver(video, document.getElementById("faces"));

function summary(readings) {
  const seen = [...readings.keys()].filter((index) => readings[index]);
  seen.sort((a, b) => (b === chosen) - (a === chosen));
  const people = seen.slice(0, MAX_READINGS).map((index) => `person ${data.people[index].number}: ${readings[index].words}`);
  if (seen.length > MAX_READINGS) people.push(`and ${seen.length - MAX_READINGS} more`);
  return [clock(now), ...(people.length ? people : ["nobody seen"])].join(" · ");
}

// Assistive technology announces the time once per second while the clip plays, not with every frame.
function announce(readings) {
  if (isPlaying() && performance.now() - announced < 1000) return;
  announced = performance.now();
  tracks.forEach((track, index) => {
    track.setAttribute("aria-valuenow", now.toFixed(3));
    track.setAttribute("aria-valuetext", `${clock(now)}, ${readings[index] ? readings[index].words : "not seen"}`);
  });
}

function showStill() {
  const nearest = stills.reduce((best, next) =>
    Math.abs(next.dataset.time - now) < Math.abs(best.dataset.time - now) ? next : best);
  if (nearest.hasAttribute("aria-current")) return;
  stills.forEach((button) => button.toggleAttribute("aria-current", false));
  nearest.setAttribute("aria-current", "true");
  strip.scrollLeft = nearest.offsetLeft - (strip.clientWidth - nearest.offsetWidth) / 2;
  const time = clock(Number(nearest.dataset.time));
  still.src = nearest.querySelector("img").src;
  still.alt = `The clip at ${time}`;
  document.getElementById("still-time").textContent = time;
}

function show() {
  const readings = data.people.map((person) => readingAt(person, now));
  tracks.forEach((track) => {
    track.querySelector(".head").style.left = `${(100 * (now - data.start)) / span}%`;
  });
  readout.textContent = summary(readings);
  announce(readings);
  if (drawBoxes) drawBoxes(now, readings, boxes.checked);
  if (still) showStill();
}

function seek(time) {
  now = clamp(time);
  // Slightly after the start of the frame, so that rounding cannot show the previous one.
  if (video) video.currentTime = now - data.start + 0.002;
  announced = 0;
  show();
}

function follow() {
  now = clamp(data.start + video.currentTime);
  show();
  cancelAnimationFrame(next);
  if (isPlaying()) next = requestAnimationFrame(follow);
}

tracks.forEach((track, index) => {
  const timeAt = (event) => {
    const box = track.getBoundingClientRect();
    return data.start + (span * (event.clientX - box.left)) / box.width;
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button === 0) {
      track.setPointerCapture(event.pointerId);
      chosen = index;
      seek(timeAt(event));
    }
  });
  track.addEventListener("pointermove", (event) => {
    if (track.hasPointerCapture(event.pointerId)) seek(timeAt(event));
  });
  track.addEventListener("keydown", (event) => {
    const small = Math.max(span / 100, data.step);
    const moves = {
      ArrowLeft: now - small, ArrowDown: now - small, ArrowRight: now + small, ArrowUp: now + small,
      PageDown: now - span / 10, PageUp: now + span / 10, Home: data.start, End: data.end - data.step,
    };
    chosen = index;
    if (event.key in moves) seek(moves[event.key]);
    else if (event.key === " " && video) video.paused ? video.play() : video.pause();
    else return;
    event.preventDefault();
  });
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-time]");
  if (!button) return;
  const track = button.closest("article")?.querySelector(".track");
  if (track) chosen = tracks.indexOf(track);
  seek(Number(button.dataset.time));
  // A slider announces its time, a button does not.
  announcement.textContent = readout.textContent;
});
if (boxes) {
  boxes.parentElement.hidden = false;
  boxes.addEventListener("change", show);
  new ResizeObserver(show).observe(video);
}
if (video) {
  video.addEventListener("loadedmetadata", show);
  video.addEventListener("play", () => {
    announcement.textContent = "";
    follow();
  });
  video.addEventListener("pause", () => {
    announced = 0;
    follow();
    announcement.textContent = readout.textContent;
  });
  // Also called when the player's own slider is moved; during our seeks the time is known already.
  video.addEventListener("seeking", () => {
    if (Math.abs(data.start + video.currentTime - now) <= 0.01) return;
    announced = 0;
    follow();
  });
}
show();
