// Selecting on the map: a closed line around points, or all that is in view. The selection is listed beside the map,
// and the flagged rows of it can be the only ones in the queue.
const lasso = { on: false, path: null, chosen: null };
const LISTED = 60;

function startLasso(canvas) {
  const button = document.getElementById("lasso");
  button.addEventListener("click", () => {
    lasso.on = !lasso.on;
    button.setAttribute("aria-pressed", String(lasso.on));
    canvas.classList.toggle("lasso", lasso.on);
  });
  document.getElementById("in-view").addEventListener("click", () => {
    select(data.points.map((point, at) => at).filter((at) => {
      const [x, y] = place(canvas, data.points[at]);
      return x >= 0 && y >= 0 && x <= canvas.width && y <= canvas.height;
    }));
  });
}

function beginLasso(from) { lasso.path = [from]; }

function endLasso(canvas) {
  const path = lasso.path;
  lasso.path = null;
  select(data.points.map((point, at) => at).filter((at) => inside(path, ...place(canvas, data.points[at]))));
}

// Even-odd rule: how often a line to the right crosses the path.
function inside(path, x, y) {
  let odd = false;
  for (let at = 0, before = path.length - 1; at < path.length; before = at, at += 1) {
    const [ax, ay] = path[at], [bx, by] = path[before];
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

function select(found) {
  lasso.chosen = found.length ? new Set(found) : null;
  view.chosen = -1;
  drawSoon();
  const box = document.getElementById("map-row");
  if (!found.length) { box.replaceChildren(make("p", "note", "No point lies inside the line.")); return; }
  const counts = VERDICTS.map((name, verdict) => [name, found.filter((at) => data.points[at][3] === verdict).length]);
  const head = make("p", "", `${countText(found.length, "row", "rows")} selected: ${counts.filter((each) => each[1]).map(([name, count]) => `${count.toLocaleString("en")} ${name}`).join(", ")}.`);
  const queued = new Set(found.map((at) => data.points[at][2]).filter((number) => rowsByNumber.has(number)));
  const buttons = make("p");
  if (queued.size) buttons.append(makeButton(`Show ${queued.size.toLocaleString("en")} in the queue`, () => { clearFilters(); pickRows(queued); location.hash = "#rows"; }), " ");
  buttons.append(makeButton("Clear the selection", () => { lasso.chosen = null; box.replaceChildren(); drawSoon(); if (queue.picked) pickRows(null); }));
  const list = make("ul", "selected");
  const flaggedFirst = [...found].sort((a, b) => (data.points[b][3] % 3) - (data.points[a][3] % 3) || a - b);
  for (const at of flaggedFirst.slice(0, LISTED)) {
    const [, , number, verdict, text] = data.points[at], item = make("li"), button = makeButton("", () => choose(at));
    const words = make("span", "snippet", plainText(text).replace(/\s+/g, " "));
    words.dir = "auto";
    button.append(make("span", `sign ${VERDICTS[verdict]}`), words);
    button.title = `row ${number}`;
    item.append(button);
    list.append(item);
  }
  box.replaceChildren(head, buttons, list);
  if (found.length > LISTED) box.append(make("p", "note", `The first ${LISTED} are listed.`));
}
