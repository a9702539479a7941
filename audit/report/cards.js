// Deciding triggers, and going from one to its rows.
const triggerCards = [...document.querySelectorAll("article[data-trigger]")];

function startCards() {
  for (const card of triggerCards) {
    const id = card.dataset.trigger;
    if (!Object.hasOwn(data.triggers, id)) continue;
    card.querySelector(".choices").hidden = false;
    for (const button of card.querySelectorAll("[data-choice]")) button.addEventListener("click", () => chooseTrigger(card, button.dataset.choice));
    const form = card.querySelector(".because");
    form.addEventListener("submit", (event) => { event.preventDefault(); saveReason(card); });
    form.addEventListener("keydown", (event) => { if (event.key === "Escape") { form.hidden = true; card.focus(); } });
    const rows = card.querySelector("[data-rows]");
    const held = data.rows.filter((row) => row.triggers.includes(id)).length;
    rows.textContent = held ? `See ${countText(held, "row", "rows")} in the queue` : "";
    rows.addEventListener("click", () => showRowsOf(id));
    rows.hidden = !held;
  }
  document.addEventListener("keydown", cardKey);
  onChange(markCards);
  markCards();
}

// Buttons of the table of annotators that show an annotator's rows; none where the queue holds no row of theirs.
function startPeople() {
  for (const button of document.querySelectorAll("[data-person]")) {
    const name = data.people[Number(button.dataset.person)];
    button.hidden = !data.rows.some((row) => row.annotator === name);
    button.addEventListener("click", () => showRowsBy(name));
  }
}

function currentCard() {
  const focused = document.activeElement && document.activeElement.closest("article[data-trigger]");
  return focused || triggerCards[0];
}

function cardKey(event) {
  if (typing(event) || !isOpen("triggers") || !triggerCards.length) return;
  const card = currentCard(), word = { r: "reject", t: "strip", l: "legitimate" }[event.key], step = { n: 1, j: 1, p: -1, k: -1 }[event.key];
  if (word && !card.querySelector(`[data-choice=${word}]`)) return;
  if (!word && !step && event.key !== "u") return;
  event.preventDefault();
  if (step) {
    const inside = card.contains(document.activeElement), next = triggerCards[triggerCards.indexOf(card) + (inside ? step : 0)];
    if (next) { next.focus({ preventScroll: true }); next.scrollIntoView({ block: "start" }); }
  } else if (word) chooseTrigger(card, word);
  else undoLast();
}

function chooseTrigger(card, word) {
  const id = card.dataset.trigger, form = card.querySelector(".because");
  form.hidden = word !== "legitimate";
  if (word === "legitimate") {
    const { record } = standing(`trigger:${id}`);
    form.querySelector("input").value = record && record.decision === "legitimate" ? spelled(record.why) : "";
    form.querySelector("input").focus();
  } else if (word) { decideTrigger(id, word); card.focus({ preventScroll: true }); }
  else { decideTrigger(id, null); card.focus({ preventScroll: true }); }
}

// Keeping the rows of a suspect needs a reason; without one nothing is decided.
function saveReason(card) {
  const form = card.querySelector(".because"), input = form.querySelector("input"), why = input.value.trim();
  input.setAttribute("aria-invalid", String(!why));
  if (!why) { input.focus(); return; }
  form.hidden = true;
  decideTrigger(card.dataset.trigger, "legitimate", unspelled(why));
  card.focus({ preventScroll: true });
}

function markCards() {
  for (const card of triggerCards) {
    const { record, conflict } = standing(`trigger:${card.dataset.trigger}`);
    for (const button of card.querySelectorAll("[data-choice]")) {
      const word = button.dataset.choice;
      button.setAttribute("aria-pressed", String(word ? record !== null && record.decision === word : !record && !conflict));
    }
    const said = conflict ? `Reviewers disagree: ${conflict.map((r) => `${spelled(r.reviewer) || "no name"}: ${decisionWords(r)}`).join("; ")}.` : record && record.why ? `Because: ${spelled(record.why)}` : "";
    card.querySelector(".said").textContent = said;
    card.classList.toggle("decided", Boolean(record));
  }
}

function showRowsOf(id) {
  const select = document.querySelector("#filters select[data-filter=trigger]");
  clearFilters();
  select.value = String(data.groups.trigger.indexOf(id) + 1);
  filterRows();
  location.hash = "#rows";
}
