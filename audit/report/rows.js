// The queue: a list of flagged rows, one of them open. No state is kept but which one, and the filters.
const rowsByNumber = new Map(data.rows.map((row) => [row.row, row]));
const queue = { shown: data.rows, open: null };

function startQueue() {
  if (!data.rows.length) return;
  for (const id of ["filters", "queue"]) document.getElementById(id).hidden = false;
  const form = document.getElementById("filters");
  form.addEventListener("change", filterRows);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !isOpen("rows")) return;
    if (event.key === "j" || event.key === "k") stepRow(event.key === "j" ? 1 : -1);
  });
  filterRows();
}

function filterRows() {
  const wanted = {};
  for (const select of document.querySelectorAll("#filters select")) {
    if (select.value) wanted[select.dataset.filter] = select.value;
  }
  const group = (name) => data.groups[name][Number(wanted[name]) - 1];
  queue.shown = data.rows.filter((row) =>
    (!wanted.verdict || row.verdict === wanted.verdict) &&
    (!wanted.check || row.codes.includes(group("check"))) &&
    (!wanted.trigger || row.triggers.includes(group("trigger"))) &&
    ["label", "source", "annotator"].every((name) => !wanted[name] || row[name] === group(name)));
  document.getElementById("filtered").textContent =
    `${queue.shown.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} shown`;
  const list = document.getElementById("queue-list");
  list.replaceChildren(...queue.shown.map(listItem));
  if (queue.shown.length) openRow(queue.shown[0], false);
  else document.getElementById("queue-row").replaceChildren(make("p", "empty", "No row passes these filters."));
}

function listItem(row) {
  const item = make("li");
  const button = make("button", row.verdict === "remove" ? "remove" : "review");
  button.type = "button";
  button.dataset.row = row.row;
  const snippet = make("span", "snippet", plainText(row.fields[0][2]).slice(0, 90).replace(/\s+/g, " "));
  snippet.dir = "auto";
  const known = row.triggers.filter((id) => Object.hasOwn(data.triggers, id)).map((id) => `trigger “${data.triggers[id][1]}”`);
  const reasons = known.length ? known : row.codes.map((code) => (Object.hasOwn(data.checks, code) ? data.checks[code] : code));
  button.append(snippet, make("span", "meta", `${row.rank} · row ${row.row} · ${reasons.join(", ") || row.verdict}`));
  button.addEventListener("click", () => openRow(row, true));
  item.append(button);
  return item;
}

function stepRow(step) {
  const at = queue.shown.indexOf(queue.open) + step;
  if (at >= 0 && at < queue.shown.length) openRow(queue.shown[at], true);
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

function rowNodes(row) {
  const head = make("header");
  const title = make("h3", "", `Row ${row.row}`);
  const move = make("span", "move");
  for (const [step, name] of [[-1, "Previous"], [1, "Next"]]) {
    const button = make("button", "", name);
    button.type = "button";
    button.addEventListener("click", () => stepRow(step));
    move.append(button);
  }
  const facts = [`rank ${row.rank}`, row.place, row.source && `source ${row.source}`, row.annotator && `annotator ${row.annotator}`];
  head.append(badge(row.verdict), title, make("span", "meta", facts.filter(Boolean).join(" · ")), move);
  const why = make("div", "why");
  for (const sentence of row.why) {
    const line = make("p");
    line.append(textNode(sentence));
    why.append(line);
  }
  const nodes = [head, why, contentNode(row.fields)];
  if (row.label !== null) nodes.push(labelNode(row.label));
  nodes.push(make("h4", "", "Proposed"), fixNode(row), ...triggerNodes(row));
  if (data.scoring) nodes.push(make("h4", "", "Scores against thresholds"));
  if (row.scores.length) nodes.push(scoreTable(row.scores));
  const others = data.scoring - row.scores.length;
  if (others > 0) nodes.push(make("p", "note", `${others} ${row.scores.length ? "other " : ""}checks do not flag this row or score it only as most rows.`));
  if (row.near.length) nodes.push(make("h4", "", "Nearest rows"), nearList(row));
  return nodes;
}

function labelNode(label) {
  const line = make("p", "meta", "Label ");
  const value = make("b", "", label);
  value.dir = "auto";
  line.append(value);
  return line;
}

function fixNode(row) {
  const line = make("p", "", row.fix);
  if (row.value) line.append(" ", textNode(row.value));
  return line;
}

function triggerNodes(row) {
  const known = row.triggers.filter((id) => Object.hasOwn(data.triggers, id));
  if (!known.length) return [];
  const line = make("p", "", "");
  for (const id of known) {
    const [index, pattern, status] = data.triggers[id];
    const link = make("a", "", `${status} trigger “${pattern}”`);
    link.href = `#trigger-${index}`;
    line.append(link, " ");
  }
  return [make("h4", "", "Carries"), line];
}

function scoreTable(scores) {
  const table = make("table");
  const body = make("tbody");
  for (const [title, code, value, threshold, below, flagged] of scores) {
    const line = make("tr", flagged ? "found" : "quiet");
    const name = make("th", "", title);
    name.scope = "row";
    if (flagged) name.append(make("small", "", code));
    const bound = threshold === null ? "flags no rows" : `${flagged ? "reaches" : "below"} ${threshold}`;
    line.append(name, make("td", "n", value), make("td", "", bound), make("td", "n", `above ${percentText(below)} of rows`));
    body.append(line);
  }
  table.append(body);
  return table;
}

function nearList(row) {
  const list = make("ul", "examples");
  for (const other of row.near) {
    const item = make("li", "example");
    const facts = [`Row ${other.row}`, other.label === null ? "" : `label ${other.label}`, `cosine ${other.similarity}`, other.verdict];
    if (other.label !== null && row.label !== null) facts.push(other.label === row.label ? "same label" : "other label");
    item.append(make("div", "meta", facts.filter(Boolean).join(" · ")));
    for (const field of other.fields) item.append(fieldNode(field, other.fields.length > 1));
    list.append(item);
  }
  return list;
}
