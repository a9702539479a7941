// The map: grey circles are kept rows, diamonds are for review, squares are removed. Wheel and buttons zoom, dragging
// moves, the lasso selects, a click opens a row beside the map, a double click or Enter opens it in the queue. With
// the arrow keys one steps through the flagged rows, with Shift and them one moves.
const view = { scale: 1, x: 0, y: 0, chosen: -1, drawing: false };
const PAD = 24, CLICK = 30;
const KEEP = 0, REVIEW = 1, REMOVE = 2;
const drawOrder = data.points.map((point, at) => at).sort((a, b) => (data.points[a][3] % 3) - (data.points[b][3] % 3) || a - b);

function startMap() {
  const canvas = document.getElementById("map");
  if (!canvas) return;
  document.querySelector(".zoom").hidden = false;
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(button.dataset.zoom === "in" ? 1.6 : button.dataset.zoom === "out" ? 1 / 1.6 : 0, 0.5, 0.5));
  }
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && view.scale === 1 && event.deltaY > 0) return;
    event.preventDefault();
    const [x, y] = position(canvas, event);
    zoom(event.deltaY < 0 ? 1.25 : 0.8, x / canvas.width, y / canvas.height);
  }, { passive: false });
  startPointer(canvas);
  canvas.addEventListener("dblclick", () => openChosen());
  canvas.addEventListener("keydown", mapKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
  startLasso(canvas);
  drawMap();
}

function mapKey(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step && event.shiftKey) {
    const across = event.key === "ArrowRight" || event.key === "ArrowLeft";
    view[across ? "x" : "y"] -= 80 * step;
    drawSoon();
  } else if (step) stepPoint(step);
  else if (event.key === "Enter") openChosen();
  else if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.6 : 1 / 1.6, 0.5, 0.5);
  else return;
  event.preventDefault();
}

function openChosen() {
  if (view.chosen < 0 || !rowsByNumber.has(data.points[view.chosen][2])) return;
  clearFilters();
  filterRows();
  location.hash = `#row-${data.points[view.chosen][2]}`;
}

// Dragging moves the map, or draws the lasso; a press without a move chooses a point.
function startPointer(canvas) {
  let from = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => {
    from = position(canvas, event);
    moved = false;
    canvas.setPointerCapture(event.pointerId);
    if (lasso.on || event.shiftKey) beginLasso(from);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons) return;
    const to = position(canvas, event);
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 4 && !moved) return;
    moved = true;
    if (lasso.path) lasso.path.push(to);
    else { view.x += to[0] - from[0]; view.y += to[1] - from[1]; }
    from = to;
    drawSoon();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from && !moved) { lasso.path = null; choose(nearestPoint(canvas, ...position(canvas, event))); }
    else if (lasso.path) endLasso(canvas);
    from = null;
  });
}

function position(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
}

function zoom(factor, x, y) {
  const canvas = document.getElementById("map");
  if (!factor) Object.assign(view, { scale: 1, x: 0, y: 0 });
  else {
    const scale = Math.min(40, Math.max(1, view.scale * factor)), change = scale / view.scale;
    view.x = x * canvas.width - (x * canvas.width - view.x) * change;
    view.y = y * canvas.height - (y * canvas.height - view.y) * change;
    view.scale = scale;
    if (scale === 1) { view.x = 0; view.y = 0; }
  }
  drawSoon();
}

function place(canvas, point) {
  const x = PAD + point[0] / 1000 * (canvas.width - 2 * PAD), y = PAD + point[1] / 1000 * (canvas.height - 2 * PAD);
  return [x * view.scale + view.x, y * view.scale + view.y];
}

function nearestPoint(canvas, x, y) {
  let best = -1, least = CLICK;
  data.points.forEach((point, at) => {
    const [px, py] = place(canvas, point);
    const distance = Math.hypot(px - x, py - y) - (point[3] === KEEP ? 0 : 3);
    if (distance < least) { least = distance; best = at; }
  });
  return best;
}

function stepPoint(step) {
  const flagged = data.points.map((point, at) => at).filter((at) => data.points[at][3] !== KEEP);
  const all = flagged.length ? flagged : data.points.map((point, at) => at);
  const at = all.indexOf(view.chosen);
  choose(all[(at < 0 ? 0 : at + step + all.length) % all.length]);
}

// Opens a row beside the map.
function choose(at) {
  view.chosen = at;
  drawSoon();
  if (at < 0) return;
  const [, , number, verdict, text] = data.points[at];
  const row = rowsByNumber.get(number);
  const head = make("p", "meta");
  head.append(badge(VERDICTS[verdict]), ` row ${number}`);
  const nodes = [head];
  if (row) {
    const why = make("div", "why");
    for (const sentence of row.why) { const line = make("p"); line.append(textNode(sentence)); why.append(line); }
    nodes.push(makeButton("Open it in the queue", openChosen), why, contentNode(row.fields, row.sides));
  } else nodes.push(textNode(text));
  document.getElementById("map-row").replaceChildren(...nodes);
}

function drawSoon() {
  if (view.drawing) return;
  view.drawing = true;
  requestAnimationFrame(() => { view.drawing = false; drawMap(); });
}

function drawMap() {
  const canvas = document.getElementById("map"), pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const colours = ["keep", "review", "remove", "keep"].map((name) => style.getPropertyValue(`--${name}`).trim());
  const ink = style.getPropertyValue("--ink").trim(), small = data.points.length > 6000 ? 2 : 3;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  for (const at of drawOrder) {
    const point = data.points[at], [x, y] = place(canvas, point), verdict = point[3];
    if (x < -9 || y < -9 || x > canvas.width + 9 || y > canvas.height + 9) continue;
    const flagged = verdict === REVIEW || verdict === REMOVE, size = flagged ? 5.5 : small, out = lasso.chosen && !lasso.chosen.has(at);
    pen.globalAlpha = out ? 0.15 : flagged ? 0.92 : lasso.chosen ? 0.9 : 0.45;
    pen.fillStyle = colours[verdict];
    pen.beginPath();
    if (verdict === REMOVE) pen.rect(x - size + 1, y - size + 1, 2 * size - 2, 2 * size - 2);
    else if (verdict === REVIEW) { pen.moveTo(x, y - size); pen.lineTo(x + size, y); pen.lineTo(x, y + size); pen.lineTo(x - size, y); }
    else pen.arc(x, y, size, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = ink;
  if (view.chosen >= 0) {
    const [x, y] = place(canvas, data.points[view.chosen]);
    pen.lineWidth = 2.5; pen.beginPath(); pen.arc(x, y, 11, 0, 7); pen.stroke();
  }
  if (lasso.path) {
    pen.lineWidth = 1.5; pen.setLineDash([6, 4]); pen.beginPath();
    lasso.path.forEach(([x, y], at) => (at ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath(); pen.stroke(); pen.setLineDash([]);
  }
}
