// decisions.jsonl: writing and reading it. One JSON object a line, keys in this order.
const ORDER = ["schema", "subject", "key", "decision", "field", "value", "why", "reviewer", "decided_at", "row", "pattern", "input", "run"];
const CHOICES = { row: ["accept", "reject", "fix", "edit", "swap", "queue"], trigger: ["reject", "strip", "legitimate"] };
const KEYS = { row: /^[0-9a-f]{16,128}$/, trigger: /^T-[0-9a-f]{10}$/ };
const EDITED = ["prompt", "response", "rejected", "label"];
const LARGEST_BYTES = 20 << 20;

function allRecords() {
  const own = [...state.own.values()].map(named);
  const latest = new Map();
  for (const record of [...state.others, ...own]) {
    const who = JSON.stringify([idOf(record), record.reviewer]), before = latest.get(who);
    if (!before || before.decided_at <= record.decided_at) latest.set(who, record);
  }
  return [...latest.values()].sort((a, b) => (a.decided_at < b.decided_at ? -1 : a.decided_at > b.decided_at ? 1 : 0));
}

// What cannot be seen is escaped, as are the separators that some readers end lines at; JSON ends a line at \n alone.
function lineOf(record) {
  const ordered = {};
  for (const name of ORDER) if (record[name] !== undefined && record[name] !== null) ordered[name] = record[name];
  return JSON.stringify(ordered).replace(UNSEEN, (char) => (char === " " ? char
    : char.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")));
}

function exportLines() { return allRecords().map((record) => `${lineOf(record)}\n`).join(""); }

// Raises an Error with a plain sentence for what is not a decision.
function checkRecord(record) {
  const text = (name, most, needed) => {
    const value = record[name];
    if ((value === undefined || value === null) && !needed) return;
    if (typeof value !== "string" || (needed && !value.trim()) || value.length > most) throw new Error(`“${name}” must be a text${needed ? " that is not empty" : ""} of at most ${most} characters`);
  };
  if (typeof record !== "object" || record === null || Array.isArray(record)) throw new Error("it is no JSON object");
  const unknown = Object.keys(record).find((name) => !ORDER.includes(name));
  if (unknown !== undefined) throw new Error(`it has an unknown key, “${unknown.slice(0, 40)}”`);
  if (record.schema !== data.schema) throw new Error(`its schema is not ${data.schema}`);
  if (!Object.hasOwn(CHOICES, record.subject)) throw new Error("“subject” must be row or trigger");
  if (!CHOICES[record.subject].includes(record.decision)) throw new Error(`“decision” must be one of ${CHOICES[record.subject].join(", ")}`);
  text("key", 200, true);
  if (!KEYS[record.subject].test(record.key)) throw new Error("“key” is neither a content hash nor a trigger's id");
  if (record.decision === "edit") {
    if (!EDITED.includes(record.field)) throw new Error(`“field” must be one of ${EDITED.join(", ")}`);
    if (typeof record.value !== "string") throw new Error("an edit needs a “value”");
  } else if (record.field || record.value) throw new Error("only an edit has a “field” and a “value”");
  text("value", LARGEST_BYTES, false);
  text("why", 10000, record.decision === "legitimate");
  for (const name of ["reviewer", "pattern", "input", "run"]) text(name, 10000, false);
  if (record.decided_at && (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(record.decided_at) || Number.isNaN(Date.parse(record.decided_at)))) throw new Error("“decided_at” must be a time such as 2025-01-31T12:00:00Z");
  if (record.row !== undefined && record.row !== null && !(Number.isSafeInteger(record.row) && record.row >= 0)) throw new Error("“row” must be a whole number");
  return record;
}

// The records of a file, all of them or an Error that names the first bad lines.
function parseLines(text) {
  if (text.length > LARGEST_BYTES) throw new Error("The file is larger than 20 MB; it cannot be a list of decisions of this report.");
  const found = [], wrong = [];
  text.replace(/^\ufeff/, "").split("\n").forEach((line, at) => {
    if (!line.trim()) return;
    try { found.push({ why: "", reviewer: "", decided_at: "", ...checkRecord(JSON.parse(line)) }); }
    catch (error) { wrong.push(`line ${at + 1}: ${error instanceof SyntaxError ? "it is no JSON" : error.message}`); }
  });
  if (wrong.length) throw new Error(`Nothing was imported. ${wrong.slice(0, 3).join("; ")}${wrong.length > 3 ? `; and ${wrong.length - 3} more` : ""}.`);
  return found;
}

// Adds records to what is there; of one reviewer's about one thing the latest counts. With `mine`, those under this
// reader's name become this reader's own.
function mergeRecords(records, mine) {
  for (const record of records) {
    const id = idOf(record);
    if (mine && (record.reviewer || "") === state.reviewer) {
      const before = state.own.get(id);
      const { reviewer, ...unsigned } = record;
      if (!before || before.decided_at <= record.decided_at) state.own.set(id, server ? record : unsigned);
      continue;
    }
    const full = { ...record, reviewer: record.reviewer || "" };
    const at = state.others.findIndex((other) => idOf(other) === id && other.reviewer === full.reviewer);
    if (at < 0) state.others.push(full);
    else if (state.others[at].decided_at <= full.decided_at) state.others[at] = full;
  }
}

function importText(text) {
  const records = parseLines(text);
  mergeRecords(records, true);
  const known = new Set([...data.rows.map((row) => `row:${row.hash}`), ...Object.keys(data.triggers).map((id) => `trigger:${id}`)]);
  const away = records.filter((record) => !known.has(idOf(record))).length, open = conflicts().length;
  state.undo = [];
  changed();
  return `${countText(records.length, "decision", "decisions")} imported` + (away ? `, ${away} about rows or triggers that this page does not show` : "") + (open ? `; ${countText(open, "conflict", "conflicts")} to settle` : "") + ".";
}

// A download of a text made here; where a browser refuses it, the text stands under Decisions all the same.
function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = make("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

async function copyText(text, box) {
  try { await navigator.clipboard.writeText(text); return "Copied."; }
  catch {
    box.focus();
    box.select();
    return document.execCommand("copy") ? "Copied." : "This browser refuses to copy: the text is selected, press Ctrl+C.";
  }
}

function quoted(word) { return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`; }

// The command that applies the decisions; from a file it names the run directory that the report stands in.
function applyCommand() {
  let run = data.run;
  const place = /^(.*)\/report\/[^/]+$/.exec(location.protocol === "file:" ? location.pathname : "");
  if (place) try { run = spelled(decodeURIComponent(place[1])); } catch { run = data.run; }
  return `tunevet apply ${quoted(run.replace(/^\/([A-Za-z]:)/, "$1"))} decisions.jsonl -o cleaned.${data.extension}`;
}
