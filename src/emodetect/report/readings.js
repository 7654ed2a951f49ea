"use strict";
// Readings of each person over time, from `data`; see page_data.py.
const data = JSON.parse(document.getElementById("data").textContent);

function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor(tenths / 600) % 60;
  const rest = tenths % 600;
  const start = hours ? `${hours}:${String(minutes).padStart(2, "0")}` : `${minutes}`;
  return `${start}:${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
}

// Index of the last row that has started, in rows sorted by start; -1 before the first.
function lastBegun(rows, time, begin = (row) => row[0]) {
  let first = 0;
  let after = rows.length;
  while (first < after) {
    const middle = (first + after) >> 1;
    if (begin(rows[middle]) <= time) first = middle + 1;
    else after = middle;
  }
  return first - 1;
}

// Reading of a person at a time; undefined while the person is absent.
function readingAt(person, time) {
  const run = person.runs[lastBegun(person.runs, time)];
  if (!run || time >= run[1]) return undefined;
  const [start, , emotion, uncertain, percents] = run;
  const percent = percents[Math.min(Math.floor((time - start) / data.every + 1e-4), percents.length - 1)];
  return { emotion, uncertain, words: `${emotion}${uncertain ? ", uncertain" : ""}, ${percent}%` };
}
