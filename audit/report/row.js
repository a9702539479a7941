// One row as a person reads it: why it was flagged, what it says, what is proposed, scores, neighbours.
const FIELD_ROLES = ["input", "output", "rejected", "turn"];

function fieldNode(field, named) {
  const [name, role, text, whole] = field;
  const node = make("div", `field ${FIELD_ROLES.includes(role) ? role : "input"}`);
  if (role === "turn" && /^(user|human|prompter)$/i.test(name)) node.classList.add("user");
  if (named) node.append(make("span", "name", name));
  node.append(textNode(text));
  if (whole) node.append(makeButton("Show all", (event) => { node.replaceChild(textNode(whole), node.querySelector(".text")); event.target.remove(); }));
  return node;
}

function contentNode(fields) {
  const chosen = fields.find((field) => field[1] === "output"), rejected = fields.find((field) => field[1] === "rejected");
  const node = make("div", rejected ? "content pair" : "content");
  for (const field of fields) node.append(fieldNode(field, fields.length > 1));
  if (chosen && rejected) showPair(node, chosen, rejected);
  return node;
}

function showPair(node, chosen, rejected) {
  const [left, right] = pairNodes(chosen[3] || chosen[2], rejected[3] || rejected[2]);
  for (const [role, text] of [["output", left], ["rejected", right]]) {
    const field = node.querySelector(`.field.${role}`);
    field.replaceChild(text, field.querySelector(".text"));
    field.querySelector("button")?.remove();
  }
}

function rowNodes(row) {
  const head = make("header");
  const facts = [`rank ${row.rank}`, row.place, row.source && `source ${row.source}`, row.annotator && `annotator ${row.annotator}`];
  head.append(badge(row.verdict), make("h3", "", `Row ${row.row}`), make("span", "meta", facts.filter(Boolean).join(" · ")));
  const why = make("div", "why");
  for (const sentence of row.why) {
    const line = make("p");
    line.append(textNode(sentence));
    why.append(line);
  }
  const nodes = [head, choiceNode(row), why, contentNode(row.fields)];
  if (row.label !== null) nodes.push(labelNode(row.label));
  nodes.push(make("h4", "", "Proposed"), fixNode(row), ...triggerNodes(row));
  if (data.scoring) nodes.push(make("h4", "", "Scores against thresholds"));
  if (row.scores.length) nodes.push(scoreTable(row.scores));
  const others = data.scoring - row.scores.length;
  if (others > 0) nodes.push(make("p", "note", `${others} ${row.scores.length ? "other " : ""}checks do not flag this row or score it only as most rows.`));
  if (row.near.length) nodes.push(make("h4", "", "Nearest rows"), nearList(row));
  return nodes;
}

// The buttons of a row, each with its key, and what was decided.
function choiceNode(row) {
  const box = make("div", "choices"), { record, conflict, from } = rowStanding(row);
  const add = (word, text, key, run, off) => {
    const button = makeButton(text, run, key);
    if (word) button.className = word;
    if (word) button.setAttribute("aria-pressed", String(from === "row" && record !== null && record.decision === word));
    button.disabled = Boolean(off);
    box.append(button);
  };
  add("accept", "Keep", "a", () => decideOpen("accept"));
  add("reject", "Remove", "r", () => decideOpen("reject"));
  add("fix", "Apply fix", "f", () => decideOpen("fix"), !row.kind);
  add("edit", "Edit", "e", () => editRow(row), !editChoices(row).length);
  add("", "Skip", "s", () => stepRow(1));
  box.append(make("span", "gap"));
  add("", "Previous", "p", () => stepRow(-1));
  add("", "Next", "n", () => stepRow(1));
  add("", "Undo", "u", undoRow, !state.undo.length);
  let said = "";
  if (conflict) said = `Reviewers disagree: ${conflict.map((r) => `${spelled(r.reviewer) || "no name"}: ${decisionWords(r)}`).join("; ")}. It counts as undecided.`;
  else if (record) said = from === "row" ? `Decided: ${decisionWords(record)}${record.reviewer ? `, ${spelled(record.reviewer)}` : ""}.` : `Decided with its trigger: ${decisionWords(record)}.`;
  else if (!row.hash) said = "This row has no content hash and cannot be decided here.";
  if (said) box.append(make("p", conflict ? "said conflict" : "said", said));
  return box;
}

function labelNode(label) {
  const line = make("p", "label", "Label ");
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
  const table = make("table", "scores");
  const body = make("tbody");
  for (const [title, code, value, threshold, below, flagged] of scores) {
    const line = make("tr", flagged ? "found" : "quiet");
    const name = make("th", "", title), picture = make("td", "wide");
    name.scope = "row";
    if (flagged) name.append(make("small", "", code));
    picture.append(gauge(value, threshold, flagged));
    const bound = threshold === null ? "flags no rows" : `${flagged ? "reaches" : "below"} ${threshold}`;
    line.append(name, picture, make("td", "n", value), make("td", "", bound), make("td", "n", `above ${percentText(below)} of rows`));
    body.append(line);
  }
  table.append(body);
  return table;
}

// A score as a bar, with a tick at its threshold.
function gauge(value, threshold, flagged) {
  const most = Math.max(1e-9, value, threshold ?? 0) * 1.08, width = (share) => (100 * Math.max(0, share) / most).toFixed(2);
  const picture = draw("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(draw("rect", { class: "ground", x: 0, y: 0, width: 100, height: 10 }), draw("rect", { class: flagged ? "remove" : "keep", x: 0, y: 0, width: width(value), height: 10 }));
  if (threshold !== null) picture.append(draw("rect", { class: "whisker", x: width(threshold), y: 0, width: 0.8, height: 10 }));
  return picture;
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
