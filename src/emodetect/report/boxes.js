// Boxes and labels over the part of the player that the picture fills; the rest of it stays black.
function boxesOver(video, layer) {
  const NARROW = 480; // pixels of a picture on which labels are short
  const CONTROLS = 70; // pixels that the player's controls take at its lower edge

  const faces = data.people.map((person) => {
    const frame = layer.appendChild(document.createElement("div"));
    return { paths: person.boxes.map(unpacked), frame, label: frame.appendChild(document.createElement("span")) };
  });

  // Rows of milliseconds, x, y, width and height; the file holds what each adds to the row before.
  function unpacked(path) {
    const rows = [];
    let row = [0, 0, 0, 0, 0];
    for (let at = 0; at < path.length; at += 5) {
      row = row.map((value, column) => value + path[at + column]);
      rows.push(row);
    }
    return rows;
  }

  // Where a face is, as x, y, width and height in thousandths of the picture; undefined while it is not there.
  function placeAt(paths, time) {
    const rows = paths[lastBegun(paths, time, (path) => path[0][0])];
    if (!rows || time >= rows[rows.length - 1][0]) return undefined;
    const at = lastBegun(rows, time);
    const [before, after] = [rows[at], rows[at + 1]];
    const share = (time - before[0]) / (after[0] - before[0]);
    return [1, 2, 3, 4].map((column) => before[column] + share * (after[column] - before[column]));
  }

  // Where a label goes: over the face or, where that is taken, under it, in it, or beside other labels; never beyond a side.
  function free(label, [x, y, w, h], taken, width, height) {
    const [wide, high] = [label.offsetWidth, label.offsetHeight];
    const left = Math.max(0, Math.min(x - 3, width - wide));
    const lowest = height - high - (height > 4 * CONTROLS ? CONTROLS : 0);
    const hits = (top) => taken.some((other) =>
      left < other.left + other.wide && other.left < left + wide && top < other.top + other.high && other.top < top + high);
    const beside = taken.flatMap((other) => [other.top - high, other.top + other.high]);
    const tops = [y - high - 3, y + h + 3, y, ...beside.sort((a, b) => Math.abs(a - y) - Math.abs(b - y))];
    const top = tops.find((top) => 0 <= top && top <= lowest && !hits(top)) ?? Math.max(0, Math.min(y, lowest));
    taken.push({ left, top, wide, high });
    return { left, top };
  }

  return (time, readings, shown) => {
    const scale = Math.min(video.clientWidth / video.videoWidth, video.clientHeight / video.videoHeight);
    const width = scale * video.videoWidth;
    const height = scale * video.videoHeight;
    layer.hidden = !shown || !(width > 0);
    if (layer.hidden) return;
    Object.assign(layer.style, {
      left: `${video.offsetLeft + (video.clientWidth - width) / 2}px`,
      top: `${video.offsetTop + (video.clientHeight - height) / 2}px`,
      width: `${width}px`,
      height: `${height}px`,
    });
    const taken = [];
    faces.forEach(({ paths, frame, label }, index) => {
      const reading = readings[index];
      const place = reading && placeAt(paths, 1000 * (time - data.start));
      frame.hidden = !place;
      if (!place) return;
      const box = place.map((value, column) => (value / 1000) * (column % 2 ? height : width));
      const [x, y, w, h] = box;
      Object.assign(frame.style, { left: `${x}px`, top: `${y}px`, width: `${w}px`, height: `${h}px` });
      frame.className = `box ${reading.emotion}${reading.uncertain ? " uncertain" : ""}`;
      const short = `${reading.emotion}${reading.uncertain ? "?" : ""}`;
      label.textContent = `${data.people[index].number}: ${width < NARROW ? short : reading.words}`;
      const spot = free(label, box, taken, width, height);
      label.style.left = `${spot.left - x - 3}px`;
      label.style.top = `${spot.top - y - 3}px`;
    });
  };
}
