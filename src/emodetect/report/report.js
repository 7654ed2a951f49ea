"use strict";
// Ties the clip (or the stills), the timelines and the buttons together: one time for all of them.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const video = document.querySelector("video");
  const still = document.getElementById("still");
  const stills = [...document.querySelectorAll(".strip button")];
  const tracks = [...document.querySelectorAll(".track")];
  const readout = document.getElementById("now");
  const layer = document.getElementById("faces");
  const boxes = document.getElementById("boxes");
  const span = Math.max(data.end - data.start, data.step);
  let now = data.start;

  const clamp = (time) => Math.min(Math.max(time, data.start), data.end);

  function clock(seconds) {
    const tenths = Math.round(10 * seconds);
    const hours = Math.floor(tenths / 36000);
    const minutes = Math.floor(tenths / 600) % 60;
    const rest = tenths % 600;
    const start = hours ? `${hours}:${String(minutes).padStart(2, "0")}` : `${minutes}`;
    return `${start}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
  }

  const current = (person) => person.runs.find(([start, end]) => start <= now && now < end);

  function reading(person) {
    const run = current(person);
    if (!run) return "not seen";
    return `${run[2]}${run[4] ? ", uncertain" : ""}, ${run[3]} %`;
  }

  // A person's places as rows of milliseconds, x, y, width and height; the file holds what each adds to the row before.
  function unpacked(path) {
    const rows = [];
    let row = [0, 0, 0, 0, 0];
    for (let at = 0; at < path.length; at += 5) {
      row = row.map((value, column) => value + path[at + column]);
      rows.push(row);
    }
    return rows;
  }

  // Where a face is now, as x, y, width and height in thousandths of the picture; undefined while it is not there.
  function placeOf(person) {
    const time = 1000 * (now - data.start);
    const rows = person.places.find((path) => path[0][0] <= time && time < path[path.length - 1][0]);
    if (!rows) return undefined;
    let first = 0;
    let last = rows.length - 1;
    while (last - first > 1) {
      const middle = (first + last) >> 1;
      if (rows[middle][0] <= time) first = middle;
      else last = middle;
    }
    const share = (time - rows[first][0]) / (rows[last][0] - rows[first][0]);
    return [1, 2, 3, 4].map((column) => rows[first][column] + share * (rows[last][column] - rows[first][column]));
  }

  // Boxes and labels over the part of the player that the picture fills; the rest of it stays black.
  function drawBoxes(words) {
    const scale = Math.min(video.clientWidth / video.videoWidth, video.clientHeight / video.videoHeight);
    const width = scale * video.videoWidth;
    const height = scale * video.videoHeight;
    layer.hidden = !boxes.checked || !(width > 0);
    if (layer.hidden) return;
    Object.assign(layer.style, {
      left: `${video.offsetLeft + (video.clientWidth - width) / 2}px`,
      top: `${video.offsetTop + (video.clientHeight - height) / 2}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    data.people.forEach((person, index) => {
      const { frame, label } = person;
      const run = current(person);
      const place = run && placeOf(person);
      frame.hidden = !place;
      if (!place) return;
      const [x, y, w, h] = place.map((value, column) => (value / 1000) * (column % 2 ? height : width));
      Object.assign(frame.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
      frame.className = `box ${run[2]}${run[4] ? " uncertain" : ""}`;
      label.textContent = `${person.number}: ${words[index]}`;
      // Over the face, or inside its box at the picture's upper edge; never beyond a side.
      const over = y - label.offsetHeight;
      label.style.top = `${over < 0 ? 0 : -label.offsetHeight - 3}px`;
      label.style.left = `${Math.max(-x, Math.min(0, width - x - label.offsetWidth)) - 3}px`;
    });
  }

  function show() {
    const words = data.people.map(reading);
    tracks.forEach((track, index) => {
      track.setAttribute("aria-valuenow", now.toFixed(3));
      track.setAttribute("aria-valuetext", `${clock(now)}, ${words[index]}`);
      track.querySelector(".head").style.left = `${(100 * (now - data.start)) / span}%`;
    });
    const people = data.people.map((person, index) => `person ${person.number}: ${words[index]}`);
    readout.textContent = [clock(now), ...people.slice(0, 4)].join(" · ");
    if (video) drawBoxes(words);
    if (still) {
      const nearest = stills.reduce((best, next) =>
        Math.abs(next.dataset.time - now) < Math.abs(best.dataset.time - now) ? next : best);
      still.src = nearest.querySelector("img").src;
      still.alt = `The clip at ${clock(Number(nearest.dataset.time))}`;
      document.getElementById("still-time").textContent = clock(Number(nearest.dataset.time));
    }
  }

  function seek(time) {
    now = clamp(time);
    // A little after the frame's beginning, so that rounding cannot show the one before.
    if (video) video.currentTime = now - data.start + 0.002;
    show();
  }

  function follow() {
    now = clamp(data.start + video.currentTime);
    show();
    if (!video.paused) requestAnimationFrame(follow);
  }

  tracks.forEach((track) => {
    const timeAt = (event) => {
      const box = track.getBoundingClientRect();
      return data.start + (span * (event.clientX - box.left)) / box.width;
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button === 0) {
        track.setPointerCapture(event.pointerId);
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
      if (event.key in moves) seek(moves[event.key]);
      else if (event.key === " " && video) video.paused ? video.play() : video.pause();
      else return;
      event.preventDefault();
    });
  });
  document.querySelectorAll("button[data-time]").forEach((button) => {
    button.addEventListener("click", () => seek(Number(button.dataset.time)));
  });
  if (video) {
    for (const person of data.people) {
      person.places = person.boxes.map(unpacked);
      person.frame = layer.appendChild(document.createElement("div"));
      person.label = person.frame.appendChild(document.createElement("span"));
    }
    boxes.parentElement.hidden = false;
    boxes.addEventListener("change", show);
    video.addEventListener("loadedmetadata", show);
    new ResizeObserver(show).observe(video);
    video.addEventListener("play", follow);
    video.addEventListener("pause", follow);
    // Also when the reader moves the clip's own slider; while a seek of ours is under way the time is known already.
    video.addEventListener("seeking", () => {
      if (Math.abs(data.start + video.currentTime - now) > 0.01) follow();
    });
  }
  show();
})();
