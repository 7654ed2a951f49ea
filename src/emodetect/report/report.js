"use strict";
// Ties the clip (or the stills), the timelines and the buttons together: one time for all of them.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const video = document.querySelector("video");
  const still = document.getElementById("still");
  const stills = [...document.querySelectorAll(".strip button")];
  const tracks = [...document.querySelectorAll(".track")];
  const readout = document.getElementById("now");
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

  function reading(person) {
    const run = person.runs.find(([start, end]) => start <= now && now < end);
    if (!run) return "not seen";
    return `${run[2]}${run[4] ? ", uncertain" : ""}, ${run[3]} %`;
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
    video.addEventListener("play", follow);
    video.addEventListener("pause", follow);
    // Also when the reader moves the clip's own slider; while a seek of ours is under way the time is known already.
    video.addEventListener("seeking", () => {
      if (Math.abs(data.start + video.currentTime - now) > 0.01) follow();
    });
  }
  show();
})();
