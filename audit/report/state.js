// What was decided. `own` holds this reader's decisions, without a name, so that the name can still be typed later;
// `others` holds imported ones. Kept in the browser under the report's key. Where there is a server, its file is what
// counts: `own` starts from it, each decision with its name, and goes back to it after every change.
const STORE = `tunevet:${data.key}`;
const serverElement = document.getElementById("server");
const server = serverElement ? JSON.parse(serverElement.textContent) : null;
const state = { reviewer: "", own: new Map(), others: [], undo: [], kept: true, saved: "", sending: Promise.resolve(), listeners: [] };
const ROW_WORDS = { accept: "Keep", reject: "Remove", fix: "Fix", edit: "Edit", swap: "Swap sides", queue: "Re-label" };
const TRIGGER_WORDS = { reject: "Reject all rows", strip: "Strip, keep rows", legitimate: "Legitimate" };

function idOf(record) { return `${record.subject}:${record.key}`; }

function startState() {
  const found = readStore();
  state.reviewer = typeof found.reviewer === "string" ? found.reviewer : "";
  if (server) {
    for (const record of server.decisions) state.own.set(idOf(record), checkRecord(record));
  } else {
    try {
      for (const record of found.own || []) state.own.set(idOf(checkRecord(record)), record);
      state.others = (found.others || []).map((record) => checkRecord(record));
    } catch { state.own.clear(); state.others = []; }
  }
  addEventListener("beforeunload", (event) => {
    if (!state.kept && !server && state.own.size) event.preventDefault();
  });
}

function readStore() {
  try { return JSON.parse(localStorage.getItem(STORE) || "{}") || {}; }
  catch { state.kept = false; return {}; }
}

function writeStore() {
  try {
    localStorage.setItem(STORE, JSON.stringify({ reviewer: state.reviewer, own: [...state.own.values()], others: state.others }));
    state.kept = true;
  } catch { state.kept = false; }
}

function onChange(listener) { state.listeners.push(listener); }

function changed() {
  writeStore();
  for (const listener of state.listeners) listener();
  if (server) state.sending = state.sending.then(sendAll);
}

async function sendAll() {
  const body = allRecords().filter((record) => standing(idOf(record)).record || state.own.has(idOf(record))).map((record) => `${lineOf(record)}\n`).join("");
  try {
    const answer = await fetch(server.save, { method: "POST", body, headers: { "Content-Type": "application/x-ndjson; charset=utf-8" } });
    const said = answer.ok ? "" : (await answer.json().catch(() => ({}))).error || `the server answered ${answer.status}`;
    state.saved = said ? `Not written: ${spelled(said)}` : "Written.";
  } catch { state.saved = "Not written: the server does not answer. Export your decisions."; }
  document.getElementById("saved").textContent = state.saved;
}

function now() { return new Date().toISOString().slice(0, 19) + "Z"; }

function setOwn(id, record) {
  state.undo.push([id, state.own.get(id)]);
  if (record) state.own.set(id, record);
  else state.own.delete(id);
  changed();
}

// Takes back the last decision and returns what it was about; null where there is none.
function undoLast() {
  const last = state.undo.pop();
  if (!last) return null;
  const [id, before] = last;
  if (before) state.own.set(id, before);
  else state.own.delete(id);
  changed();
  return id;
}

function decideRow(row, decision, more) {
  if (!row.hash) return false;
  const record = { schema: data.schema, subject: "row", key: row.hash, decision, ...more, why: "", decided_at: now(), row: row.row, input: data.input, run: data.run };
  setOwn(`row:${row.hash}`, record);
  return true;
}

function decideTrigger(id, decision, why) {
  const record = decision && { schema: data.schema, subject: "trigger", key: id, decision, why: why || "", decided_at: now(), pattern: data.triggers[id][1], input: data.input, run: data.run };
  setOwn(`trigger:${id}`, record);
}

// An own decision with its reviewer's name.
function named(record) { return { ...record, reviewer: record.reviewer ?? state.reviewer }; }

// Every decision about one thing, the latest of each reviewer.
function votes(id) {
  const latest = new Map();
  for (const record of state.others) if (idOf(record) === id) latest.set(record.reviewer, record);
  const own = state.own.get(id);
  const same = own && latest.get(named(own).reviewer);
  if (own && !(same && same.decided_at > own.decided_at)) latest.set(named(own).reviewer, named(own));
  return [...latest.values()];
}

// Votes without those that ask for labelers and have had their answer, in the same second or later.
function answered(cast) {
  const answers = cast.filter((record) => record.decision !== "queue").map((record) => record.decided_at);
  return cast.filter((record) => record.decision !== "queue" || answers.every((at) => record.decided_at > at));
}

// { record, conflict }: the decision that counts, or the votes that disagree.
function standing(id) {
  const cast = answered(votes(id));
  const kinds = new Set(cast.map((r) => JSON.stringify([r.decision, r.field || "", r.value || ""])));
  if (kinds.size > 1) return { record: null, conflict: cast };
  return { record: cast[0] || null, conflict: null };
}

// What becomes of a row: its own decision, or that of its triggers, reject before strip before legitimate; these two
// count once all of its triggers are decided.
function rowStanding(row) {
  const own = standing(`row:${row.hash}`);
  if (own.record || own.conflict) return { ...own, from: "row" };
  const asked = row.triggers.filter((id) => Object.hasOwn(data.triggers, id));
  const found = asked.map((id) => standing(`trigger:${id}`)).filter((each) => each.record);
  if (found.length < asked.length && !found.some((each) => each.record.decision === "reject")) return { record: null, conflict: null, from: "" };
  for (const word of ["reject", "strip", "legitimate"]) {
    const hit = found.find((each) => each.record.decision === word);
    if (hit) return { ...hit, from: "trigger" };
  }
  return { record: null, conflict: null, from: "" };
}

// Triggers and rows that wait for a person, and how many of them are decided.
function progress() {
  const triggers = Object.keys(data.triggers), rows = data.rows.filter((row) => row.verdict === "review");
  const decided = [triggers.filter((id) => standing(`trigger:${id}`).record).length, rows.filter((row) => rowStanding(row).record).length];
  return { triggers: [decided[0], triggers.length], rows: [decided[1], rows.length], done: decided[0] + decided[1], all: triggers.length + rows.length };
}

function conflicts() {
  const ids = new Set([...state.own.keys(), ...state.others.map(idOf)]);
  return [...ids].map((id) => [id, standing(id).conflict]).filter((each) => each[1]);
}
