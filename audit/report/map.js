// The map: grey circles are kept rows, diamonds are for review, squares are removed. Wheel and buttons zoom,
// dragging moves, a click or the arrow keys choose a point.
const view = { scale: 1, x: 0, y: 0, chosen: -1 };
const PAD = 24;

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
  drag(canvas);
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); stepPoint(step); }
    else if (event.key === "Enter" && view.chosen >= 0 && rowsByNumber.has(data.points[view.chosen][2])) location.hash = `#row-${data.points[view.chosen][2]}`;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);
  drawMap();
}

function drag(canvas) {
  let from = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => { from = position(canvas, event); moved = false; });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons) return;
    const to = position(canvas, event);
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 4 && !moved) return;
    moved = true;
    view.x += to[0] - from[0]; view.y += to[1] - from[1];
    from = to;
    drawMap();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from && !moved) choose(nearestPoint(canvas, ...position(canvas, event)));
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
  drawMap();
}

function place(canvas, point) {
  const x = PAD + point[0] / 1000 * (canvas.width - 2 * PAD), y = PAD + point[1] / 1000 * (canvas.height - 2 * PAD);
  return [x * view.scale + view.x, y * view.scale + view.y];
}

function nearestPoint(canvas, x, y) {
  let best = -1, least = 18;
  data.points.forEach((point, at) => {
    const [px, py] = place(canvas, point);
    const distance = Math.hypot(px - x, py - y) - (point[3] === "keep" ? 0 : 3);
    if (distance < least) { least = distance; best = at; }
  });
  return best;
}

function stepPoint(step) {
  const flagged = data.points.map((point, at) => at).filter((at) => data.points[at][3] !== "keep");
  const all = flagged.length ? flagged : data.points.map((point, at) => at);
  const at = all.indexOf(view.chosen);
  choose(all[(at < 0 ? 0 : at + step + all.length) % all.length]);
}

function choose(at) {
  view.chosen = at;
  drawMap();
  if (at < 0) return;
  const [, , number, verdict, text] = data.points[at];
  const box = document.getElementById("map-row");
  const row = rowsByNumber.get(number);
  const head = make("p", "meta");
  head.append(badge(verdict), ` row ${number}`);
  const nodes = [head];
  if (row) {
    const why = make("div", "why");
    for (const sentence of row.why) { const line = make("p"); line.append(textNode(sentence)); why.append(line); }
    const link = make("a", "", "Open it in the queue");
    link.href = `#row-${number}`;
    nodes.push(why, contentNode(row.fields), link);
  } else nodes.push(textNode(text));
  box.replaceChildren(...nodes);
}

function drawMap() {
  const canvas = document.getElementById("map"), pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const order = { keep: 0, unreadable: 1, review: 2, remove: 3 };
  const drawn = data.points.map((point, at) => at).sort((a, b) => order[data.points[a][3]] - order[data.points[b][3]] || a - b);
  for (const at of drawn) {
    const point = data.points[at], [x, y] = place(canvas, point);
    if (x < -9 || y < -9 || x > canvas.width + 9 || y > canvas.height + 9) continue;
    const verdict = point[3], size = verdict === "keep" ? 3 : 5.5;
    pen.globalAlpha = verdict === "keep" ? 0.5 : 0.92;
    pen.fillStyle = colour(verdict === "remove" || verdict === "review" ? verdict : "keep");
    pen.beginPath();
    if (verdict === "remove") pen.rect(x - size + 1, y - size + 1, 2 * size - 2, 2 * size - 2);
    else if (verdict === "review") { pen.moveTo(x, y - size); pen.lineTo(x + size, y); pen.lineTo(x, y + size); pen.lineTo(x - size, y); }
    else pen.arc(x, y, size, 0, 7);
    pen.fill();
    if (at === view.chosen) { pen.globalAlpha = 1; pen.lineWidth = 2.5; pen.strokeStyle = colour("ink"); pen.beginPath(); pen.arc(x, y, 11, 0, 7); pen.stroke(); }
  }
  pen.globalAlpha = 1;
}
