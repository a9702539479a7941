// The bar of decisions in the header, and the list of them under Decisions.
function startDecide() {
  for (const id of ["deciding", "reviewed-short", "decisions-box"]) document.getElementById(id).hidden = false;
  const name = document.getElementById("reviewer"), lines = document.getElementById("lines"), file = document.getElementById("file");
  name.value = state.reviewer;
  name.addEventListener("change", () => { state.reviewer = name.value.trim(); changed(); });
  document.getElementById("export").addEventListener("click", () => {
    download("decisions.jsonl", exportLines());
    say(`${countText(allRecords().length, "decision", "decisions")} exported as decisions.jsonl.`);
  });
  document.getElementById("copy").addEventListener("click", async () => say(await copyText(lines.value, lines)));
  document.getElementById("import").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    if (chosen) say(await importFile(chosen));
    file.value = "";
  });
  document.getElementById("paste").addEventListener("click", () => {
    const box = document.getElementById("pasted");
    try { say(importText(box.value)); box.value = ""; } catch (error) { say(error.message); }
  });
  const command = document.getElementById("apply");
  command.textContent = applyCommand();
  onChange(showProgress);
  onChange(showDecisions);
}

async function importFile(chosen) {
  if (chosen.size > LARGEST_BYTES) return "The file is larger than 20 MB; it cannot be a list of decisions of this report.";
  try { return importText(await chosen.text()); } catch (error) { return spelled(error.message); }
}

function say(text) { document.getElementById("said").textContent = text; }

function showProgress() {
  const { done, all, triggers, rows } = progress();
  document.getElementById("reviewed").textContent = all ? `Reviewed ${done.toLocaleString("en")} of ${all.toLocaleString("en")}` : "Nothing waits for a person";
  document.getElementById("reviewed-of").textContent =
    [triggers[1] && `${triggers[0]} of ${countText(triggers[1], "trigger", "triggers")}`, rows[1] && `${rows[0].toLocaleString("en")} of ${countText(rows[1], "row", "rows")} for review`].filter(Boolean).join(", ");
  document.getElementById("reviewed-short").textContent = all ? `${done.toLocaleString("en")} of ${all.toLocaleString("en")} reviewed` : "";
  const bar = document.getElementById("reviewed-bar");
  bar.max = all || 1;
  bar.value = all ? done : 1;
  document.getElementById("kept").textContent = server ? "" : state.kept ? "Kept in this browser." : "This browser keeps nothing for this page: export before you close it.";
}

function showDecisions() {
  const records = allRecords(), open = conflicts();
  document.getElementById("lines").value = exportLines();
  document.getElementById("decisions-count").textContent = records.length.toLocaleString("en");
  document.getElementById("decisions-list").replaceChildren(...records.slice().reverse().map(decisionItem));
  document.getElementById("decisions-none").hidden = records.length > 0;
  document.getElementById("conflicts-box").hidden = !open.length;
  document.getElementById("conflicts").replaceChildren(...open.map(conflictItem));
}

function subjectNode(record) {
  const row = record.subject === "row" && rowsByHash.get(record.key);
  const known = record.subject === "trigger" && Object.hasOwn(data.triggers, record.key);
  if (!row && !known) return make("span", "", `${record.subject} ${spelled(record.key)}, not on this page`);
  const link = make("a", "", row ? `Row ${row.row}` : `Trigger “${data.triggers[record.key][1]}”`);
  link.href = row ? `#row-${row.row}` : `#trigger-${data.triggers[record.key][0]}`;
  return link;
}

function decisionWords(record) {
  const words = (record.subject === "row" ? ROW_WORDS : TRIGGER_WORDS)[record.decision];
  return record.decision === "edit" ? `${words} ${record.field}` : words;
}

function decisionItem(record) {
  const line = make("tr"), subject = make("td"), said = make("td", "", decisionWords(record)), last = make("td", "n");
  subject.append(subjectNode(record));
  if (record.decision === "edit") said.append(make("small", "text", spelled(record.value.slice(0, 200))));
  const id = idOf(record);
  if (state.own.has(id) && record.reviewer === named(state.own.get(id)).reviewer) last.append(makeButton("Undecide", () => setOwn(id, null)));
  const who = make("td", "", spelled(record.reviewer) || "no name");
  who.append(make("small", "", record.decided_at.replace("T", " ").replace("Z", " UTC")));
  line.append(subject, said, make("td", "text", spelled(record.why)), who, last);
  return line;
}

function conflictItem([id, cast]) {
  const item = make("li"), line = make("p");
  line.append(subjectNode(cast[0]), " ");
  for (const record of cast) {
    line.append(makeButton(`${decisionWords(record)} (${spelled(record.reviewer) || "no name"})`, () => settle(id, record)), " ");
  }
  item.append(line);
  return item;
}

// Of decisions that disagree, one is kept.
function settle(id, record) {
  state.others = state.others.filter((other) => idOf(other) !== id || other.reviewer === record.reviewer);
  const own = state.own.get(id);
  if (own && record.reviewer !== named(own).reviewer) state.own.delete(id);
  state.undo = state.undo.filter((each) => each[0] !== id);
  changed();
}
