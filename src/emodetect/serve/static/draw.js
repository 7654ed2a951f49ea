// Pictures, boxes, labels and bars on a canvas, at the resolution of the display.

import { color, emotionName, emotions, percent, shownEmotion, translate } from "/static/texts.js";

/** Resize a canvas to the resolution of the display; returns the device pixel ratio. */
export function fitCanvas(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const sides = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== sides[0] || canvas.height !== sides[1]) {
    [canvas.width, canvas.height] = sides;
  }
  return ratio;
}

/** Position of a picture in an area, letterboxed ("contain") or cropped ("cover"). */
export function placeIn(area, width, height, fit = "contain") {
  const scale = Math[fit === "cover" ? "max" : "min"](area.width / width, area.height / height);
  return { x: (area.width - width * scale) / 2, y: (area.height - height * scale) / 2, scale, width: width * scale, height: height * scale };
}

export function drawImage(context, picture, place, isMirrored) {
  context.save();
  context.translate(place.x + (isMirrored ? place.width : 0), place.y);
  context.scale(isMirrored ? -1 : 1, 1);
  context.drawImage(picture.image, 0, 0, place.width, place.height);
  context.restore();
}

/**
 * Draw the faces of a result.
 *
 * look: { unit: pixels of a line of text, stroke: width of a box, bars, labels, boxes, isMirrored }.
 */
export function drawFaces(context, record, place, look) {
  const taken = [];
  const faces = [...record.faces].sort((one, other) => other.box.width - one.box.width);
  for (const face of faces) {
    const left = look.isMirrored ? record.width - face.box.x - face.box.width : face.box.x;
    const box = {
      x: place.x + left * place.scale, y: place.y + face.box.y * place.scale,
      width: face.box.width * place.scale, height: face.box.height * place.scale,
    };
    const key = shownEmotion(face);
    if (look.boxes) {
      drawBox(context, box, key, look.stroke);
    }
    if (look.labels) {
      drawLabel(context, box, face, key, look, taken);
    }
    if (look.bars && face.scores !== null && box.width > 5 * look.unit) {
      drawBars(context, box, face, look, taken);
    }
  }
}

function drawBox(context, box, key, stroke) {
  context.setLineDash(key === "uncertain" ? [3 * stroke, 2 * stroke] : []);
  for (const [width, style] of [[stroke + 2 * Math.max(1, stroke / 2), "#000"], [stroke, color(key).ground]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.strokeRect(box.x, box.y, box.width, box.height);
  }
  context.setLineDash([]);
}

function drawLabel(context, box, face, key, look, taken) {
  const text = key === "uncertain" ? emotionName(key) : `${emotionName(key)} ${percent(face.confidence)}`;
  context.font = `600 ${look.unit}px system-ui, "Noto Sans CJK KR", sans-serif`;
  const width = context.measureText(text).width + look.unit;
  const height = 1.5 * look.unit;
  const right = context.canvas.width - width;
  const label = { x: Math.max(0, Math.min(box.x - look.stroke, right)), y: box.y - height - look.stroke, width, height };
  if (label.y < 0) {
    label.y = Math.min(box.y + box.height + look.stroke, context.canvas.height - height);
  }
  while (taken.some((other) => overlap(label, other)) && label.y + height < context.canvas.height) {
    label.y += height;
  }
  taken.push(label);
  context.fillStyle = color(key).ground;
  context.fillRect(label.x, label.y, label.width, label.height);
  context.fillStyle = color(key).ink;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillText(text, label.x + look.unit / 2, label.y + height / 2 + 1);
}

/** Draw the seven scores beside the box, on the side with room. */
function drawBars(context, box, face, look, taken) {
  const unit = 0.8 * look.unit;
  context.font = `${unit}px system-ui, "Noto Sans CJK KR", sans-serif`;
  const names = emotions();
  const widest = Math.max(...names.map((name) => context.measureText(emotionName(name)).width));
  const panel = { width: widest + 6 * unit, height: (1.35 * names.length + 0.6) * unit, y: Math.max(0, box.y) };
  const gap = look.stroke * 2;
  panel.x = box.x + box.width + gap;
  if (panel.x + panel.width > context.canvas.width) {
    panel.x = box.x - panel.width - gap;
  }
  panel.y = Math.min(panel.y, context.canvas.height - panel.height);
  if (panel.x < 0 || panel.y < 0 || taken.some((other) => overlap(panel, other))) {
    return; // no room; the list below the picture shows the label
  }
  taken.push(panel);
  context.fillStyle = "#000c";
  context.fillRect(panel.x, panel.y, panel.width, panel.height);
  context.textBaseline = "middle";
  context.textAlign = "left";
  names.forEach((name, row) => {
    const y = panel.y + (0.3 + 1.35 * row) * unit;
    context.fillStyle = "#fff";
    context.fillText(emotionName(name), panel.x + 0.4 * unit, y + 0.7 * unit);
    context.fillStyle = "#fff3";
    context.fillRect(panel.x + widest + unit, y + 0.25 * unit, 4.5 * unit, 0.9 * unit);
    context.fillStyle = color(name).ground;
    context.fillRect(panel.x + widest + unit, y + 0.25 * unit, 4.5 * unit * face.scores[name], 0.9 * unit);
  });
}

function overlap(one, other) {
  return one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;
}

/** Describe a face in words. */
export function faceText(face) {
  const key = shownEmotion(face);
  const score = key === "uncertain" ? "" : ` ${percent(face.confidence)}`;
  return `${translate("person", { number: face.id })}: ${emotionName(key)}${score}`;
}
