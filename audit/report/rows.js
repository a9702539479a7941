// The queue: a list of flagged rows, one of them open, decided by single keys.
const rowsByNumber = new Map(data.rows.map((row) => [row.row, row]));
const rowsByHash = new Map(data.rows.filter((row) => row.hash).map((row) => [row.hash, row]));
const queue = { shown: data.rows, open: null, picked: null };
const COLUMN_FILTERS = ["severity", "label", "source", "annotator"];
const MARKS = { accept: "kept", reject: "removed", fix: "fixed", edit: "edited", swap: "swapped", queue: "to re-label", strip: "stripped", legitimate: "kept" };

function startQueue() {
  if (!data.rows.length) return;
  for (const id of ["filters", "queue"]) document.getElementById(id).hidden = false;
  const form = document.getElementById("filters");
  form.addEventListener("change", filterRows);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("picked").append(makeButton("Clear", () => pickRows(null)));
  document.addEventListener("keydown", queueKey);
  onChange(markRows);
  filterRows();
}

function typing(event) {
  return /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey;
}

function queueKey(event) {
  if (typing(event) || !isOpen("rows")) return;
  const row = queue.open;
  const act = {
    n: () => stepRow(1), j: () => stepRow(1), s: () => stepRow(1), p: () => stepRow(-1), k: () => stepRow(-1), u: undoRow,
    a: () => decideOpen("accept"), r: () => decideOpen("reject"), f: () => row && row.kind && decideOpen("fix"), e: () => row && editRow(row),
    w: () => row && row.sides && row.sides.swap && decideOpen("swap"), l: () => row && canRelabel(row) && decideOpen("queue"), o: togglePrompt,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function filterRows() {
  const wanted = {};
  for (const select of document.querySelectorAll("#filters select")) {
    if (select.value) wanted[select.dataset.filter] = select.value;
  }
  const group = (name) => data.groups[name][Number(wanted[name]) - 1];
  queue.shown = data.rows.filter((row) =>
    (!queue.picked || queue.picked.has(row.row)) &&
    (!wanted.verdict || row.verdict === wanted.verdict) &&
    (!wanted.state || Boolean(rowStanding(row).record) === (wanted.state === "decided")) &&
    (!wanted.check || row.codes.includes(group("check"))) &&
    (!wanted.trigger || row.triggers.includes(group("trigger"))) &&
    COLUMN_FILTERS.every((name) => !wanted[name] || row[name] === group(name)));
  document.getElementById("filtered").textContent =
    `${queue.shown.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} shown`;
  const picked = document.getElementById("picked");
  picked.hidden = !queue.picked;
  picked.firstChild.textContent = queue.picked ? `Only ${countText(queue.picked.size, "row", "rows")} of the map ` : "";
  document.getElementById("queue-list").replaceChildren(...queue.shown.map(listItem));
  markRows();
  if (queue.shown.length) openRow(queue.shown.includes(queue.open) ? queue.open : queue.shown[0], false);
  else { queue.open = null; document.getElementById("queue-row").replaceChildren(make("p", "empty", "No row passes these filters.")); }
}

// Shows only these rows, a set of row numbers; null for all.
function pickRows(numbers) {
  queue.picked = numbers;
  filterRows();
}

function clearFilters() {
  for (const select of document.querySelectorAll("#filters select")) select.value = "";
  queue.picked = null;
}

// Shows only the rows of one annotator, a name as it stands in the data block.
function showRowsBy(name) {
  clearFilters();
  const select = document.querySelector("#filters select[data-filter=annotator]");
  select.value = String(data.groups.annotator.indexOf(name) + 1);
  filterRows();
  location.hash = "#rows";
}

function listItem(row) {
  const item = make("li");
  const button = make("button", row.verdict === "remove" ? "remove" : "review");
  button.type = "button";
  button.dataset.row = row.row;
  const snippet = make("span", "snippet", plainText(row.sides ? row.sides.asked : row.fields[0][2]).slice(0, 90).replace(/\s+/g, " "));
  snippet.dir = "auto";
  const known = row.triggers.filter((id) => Object.hasOwn(data.triggers, id)).map((id) => `trigger “${data.triggers[id][1].slice(0, 60)}”`);
  const reasons = known.length ? known : row.codes.map((code) => (Object.hasOwn(data.checks, code) ? data.checks[code][0] : code));
  button.append(make("span", "mark"), snippet, make("span", "meta", `${row.rank} · row ${row.row} · ${reasons.join(", ") || row.verdict}`));
  button.addEventListener("click", () => openRow(row, true));
  item.append(button);
  return item;
}

// What was decided, beside each row of the list and on the open card.
function markRows() {
  for (const button of document.querySelectorAll("#queue-list button")) {
    const { record, conflict } = rowStanding(rowsByNumber.get(Number(button.dataset.row)));
    button.querySelector(".mark").textContent = conflict ? "conflict" : record ? MARKS[record.decision] : "";
    button.classList.toggle("decided", Boolean(record));
  }
  const choices = document.querySelector("#queue-row > .choices");
  if (choices && queue.open && !document.querySelector("#queue-row form.edit")) choices.replaceWith(choiceNode(queue.open));
}

function stepRow(step) {
  const at = queue.shown.indexOf(queue.open) + step;
  if (at >= 0 && at < queue.shown.length) openRow(queue.shown[at], true);
}

// Decides the open row and opens the next one that is undecided.
function decideOpen(decision, more) {
  const row = queue.open;
  if (!row || !decideRow(row, decision, more)) return;
  const at = queue.shown.indexOf(row), later = [...queue.shown.slice(at + 1), ...queue.shown.slice(0, at)];
  const next = later.find((each) => !rowStanding(each).record);
  if (next) openRow(next, true);
  else openRow(row, true);
  document.getElementById("queue-row").focus({ preventScroll: true });
}

function undoRow() {
  const id = undoLast();
  const row = id && id.startsWith("row:") && rowsByHash.get(id.slice(4));
  if (row && queue.shown.includes(row)) openRow(row, true);
  else if (queue.open) openRow(queue.open, false);
}

function openRow(row, move) {
  queue.open = row;
  for (const button of document.querySelectorAll("#queue-list button")) {
    const mine = button.dataset.row === String(row.row);
    if (mine) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    if (mine && move) button.scrollIntoView({ block: "nearest" });
  }
  const card = document.getElementById("queue-row");
  card.replaceChildren(...rowNodes(row));
  card.scrollTop = 0;
}
