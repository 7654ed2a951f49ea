// Boxes and labels over the picture area of the player, without its black bars.
function boxesOver(video, layer) {
  const NARROW = 480; // picture width, pixels, below which labels are short
  const CONTROLS = 70; // height of the player's controls, pixels

  const faces = data.people.map((person) => {
    const frame = layer.appendChild(document.createElement("div"));
    return { paths: person.boxes.map(unpacked), frame, label: frame.appendChild(document.createElement("span")) };
  });

  // Rows of milliseconds, x, y, width and height; the file contains differences to the previous row.
  function unpacked(path) {
    const rows = [];
    let row = [0, 0, 0, 0, 0];
    for (let at = 0; at < path.length; at += 5) {
      row = row.map((value, column) => value + path[at + column]);
      rows.push(row);
    }
    return rows;
  }

  // Box of a face: x, y, width and height in thousandths of the picture; undefined while it is absent.
  function placeAt(paths, time) {
    const rows = paths[lastBegun(paths, time, (path) => path[0][0])];
    if (!rows || time >= rows[rows.length - 1][0]) return undefined;
    const at = lastBegun(rows, time);
    const [before, after] = [rows[at], rows[at + 1]];
    const share = (time - before[0]) / (after[0] - before[0]);
    return [1, 2, 3, 4].map((column) => before[column] + share * (after[column] - before[column]));
  }

  const overlap = (a, b) =>
    a.left < b.left + b.wide && b.left < a.left + a.wide && a.top < b.top + b.high && b.top < a.top + a.high;

  // Position of a label: above its face or, if that is occupied, below it, beside other labels, or on it; always inside the picture.
  function free(label, face, others, labels, width, height) {
    const [wide, high] = [label.offsetWidth, label.offsetHeight];
    const lefts = [face.left - 3, face.left + face.wide + 3 - wide].map((left) => Math.max(0, Math.min(left, width - wide)));
    const lowest = height - high - (height > 2 * CONTROLS ? CONTROLS : 0);
    const near = labels.flatMap((other) => [other.top - high, other.top + other.high]);
    near.sort((a, b) => Math.abs(a - face.top) - Math.abs(b - face.top));
    const spots = [face.top - high - 3, face.top + face.high + 3, ...near, face.top]
      .filter((top) => 0 <= top && top <= lowest)
      .flatMap((top) => lefts.map((left) => ({ left, top, wide, high })));
    const clear = (spot, taken) => !taken.some((other) => overlap(spot, other));
    return spots.find((spot) => clear(spot, [...labels, ...others])) ?? spots.find((spot) => clear(spot, labels))
      ?? { left: lefts[0], top: Math.max(0, Math.min(face.top, lowest)), wide, high };
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
    const places = faces.map(({ paths }, index) => {
      const place = readings[index] && placeAt(paths, 1000 * (time - data.start));
      if (!place) return undefined;
      const [x, y, w, h] = place;
      return { left: (x * width) / 1000, top: (y * height) / 1000, wide: (w * width) / 1000, high: (h * height) / 1000 };
    });
    const labels = [];
    faces.forEach(({ frame, label }, index) => {
      const face = places[index];
      frame.hidden = !face;
      if (!face) return;
      const reading = readings[index];
      Object.assign(frame.style, {
        left: `${face.left}px`, top: `${face.top}px`, width: `${face.wide}px`, height: `${face.high}px`,
      });
      frame.className = `box ${reading.emotion}${reading.uncertain ? " uncertain" : ""}`;
      const short = `${reading.emotion}${reading.uncertain ? "?" : ""}`;
      label.textContent = `${data.people[index].number}: ${width < NARROW ? short : reading.words}`;
      const others = places.filter((place) => place && place !== face);
      const spot = free(label, face, others, labels, width, height);
      labels.push(spot);
      // Relative to the inner edge of the frame's border.
      label.style.left = `${spot.left - face.left - 3}px`;
      label.style.top = `${spot.top - face.top - 3}px`;
    });
  };
}
