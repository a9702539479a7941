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

function contentNode(fields, sides) {
  const chosen = fields.find((field) => field[1] === "output"), rejected = fields.find((field) => field[1] === "rejected");
  const node = make("div", rejected ? "content pair" : "content");
  const prompt = sides && sides.fold !== "none" ? fields.filter((field) => field !== chosen && field !== rejected) : [];
  if (prompt.length) node.append(promptNode(prompt, sides));
  const shown = fields.filter((field) => !prompt.includes(field)), pair = shown.filter((field) => field === chosen || field === rejected);
  node.append(...shown.filter((field) => !pair.includes(field)).map((field) => fieldNode(field, fields.length > 1)));
  if (sides && sides.facts.length) node.append(factList(sides.facts));
  node.append(...pair.map((field) => fieldNode(field, fields.length > 1)));
  if (chosen && rejected) showPair(node, chosen, rejected);
  if (sides && sides.ranking.length) node.append(rankingNode(sides));
  return node;
}

// The prompt that both sides share, folded; of it the last thing that a user said is seen.
function promptNode(prompt, sides) {
  const fold = make("details", "prompt"), head = make("summary");
  const turns = prompt.length > 1 ? `, ${prompt.length} turns` : "";
  head.append(make("span", "name", `Prompt of both sides${turns}`), textNode(sides.asked));
  fold.open = sides.fold === "open";
  fold.append(head, ...prompt.map((field) => fieldNode(field, prompt.length > 1)));
  return fold;
}

function togglePrompt() {
  const fold = document.querySelector("#queue-row details.prompt");
  if (fold) fold.open = !fold.open;
}

function factList(facts) {
  const list = make("ul", "known");
  for (const fact of facts) list.append(make("li", "", fact));
  return list;
}

// All responses of a ranked list, best first; those of the pair are named.
function rankingNode(sides) {
  const fold = make("details", "ranking"), list = make("ol", "ranked"), shown = sides.ranking.length;
  fold.append(make("summary", "", `All ${sides.listed} responses of the list, best first`));
  for (const [rank, side, text] of sides.ranking) {
    const item = make("li"), place = make("span", "place", `${rank}`);
    item.append(place, textNode(text));
    if (side) item.append(make("span", `badge ${side === "chosen" ? "run" : "review"}`, side));
    list.append(item);
  }
  fold.append(list);
  if (shown < sides.listed) fold.append(make("p", "note", `The first ${shown} are shown.`));
  return fold;
}

function showPair(node, chosen, rejected) {
  const [left, right] = pairNodes(chosen[3] || chosen[2], rejected[3] || rejected[2]);
  for (const [role, text] of [["output", left], ["rejected", right]]) {
    const field = node.querySelector(`.field.${role}`);
    field.replaceChild(text, field.querySelector(".text"));
    field.querySelector("button")?.remove();
  }
  if (node.querySelector(".output ins, .rejected del")) return;
  node.append(make("p", "note", left.textContent === right.textContent ? "Both sides say the same." : "The sides share few words, so their differences are not marked."));
}

function rowNodes(row) {
  const head = make("header");
  const facts = [`rank ${row.rank}`, row.place, row.source && `source ${row.source}`], meta = make("span", "meta", facts.filter(Boolean).join(" · "));
  if (row.annotator !== null) meta.append(" · annotator ", annotatorNode(row.annotator));
  head.append(badge(row.verdict), make("h3", "", `Row ${row.row}`), meta);
  const why = make("div", "why");
  for (const sentence of row.why) {
    const line = make("p");
    line.append(textNode(sentence));
    why.append(line);
  }
  const nodes = [head, choiceNode(row), why, contentNode(row.fields, row.sides)];
  if (row.label !== null && !row.sides) nodes.push(labelNode(row.label));
  nodes.push(make("h4", "", "Proposed"), fixNode(row), ...triggerNodes(row));
  if (data.scoring) nodes.push(make("h4", "", "Scores against thresholds"));
  if (row.scores.length) nodes.push(scoreTable(row.scores));
  const others = data.scoring - row.scores.length;
  if (others > 0) nodes.push(make("p", "note", `${others} ${row.scores.length ? "other " : ""}checks do not flag this row or score it only as most rows.`));
  if (row.near.length) nodes.push(make("h4", "", "Nearest rows"), nearList(row));
  return nodes;
}

// An annotator's name, as a link into the table of annotators where it stands there.
function annotatorNode(name) {
  const at = data.people.indexOf(name), node = make(at < 0 ? "span" : "a", "", name);
  if (at >= 0) node.href = `#annotator-${at}`;
  node.dir = "auto";
  return node;
}

// True where a labeler can be asked about a row.
function canRelabel(row) { return row.sides !== null || row.label !== null; }

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
  if (row.sides) add("swap", "Swap sides", "w", () => decideOpen("swap"), !row.sides.swap);
  if (canRelabel(row)) add("queue", "Re-label", "l", () => decideOpen("queue"));
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
