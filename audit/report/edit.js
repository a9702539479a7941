// Editing one field of a row: its text whole, characters that cannot be seen spelled out.
const EDIT_NAMES = { input: "prompt", output: "response", rejected: "rejected" };

// [field, its name on the page, its text] of what can be edited here.
function editChoices(row) {
  if (!row.hash || !data.editable) return [];
  const found = row.fields.filter((field) => Object.hasOwn(EDIT_NAMES, field[1]))
    .map((field) => [EDIT_NAMES[field[1]], field[0], editableText(field[3] || field[2])]).filter((each) => each[2] !== null);
  if (row.label !== null && !row.sides) found.push(["label", "Label", row.label]);
  return found;
}

function editRow(row) {
  const choices = editChoices(row), card = document.getElementById("queue-row");
  if (!choices.length || card.querySelector("form.edit")) return;
  const form = make("form", "edit"), field = make("select"), box = make("textarea"), problem = make("p", "said conflict");
  choices.forEach(([, name], at) => { const option = make("option", "", name); option.value = at; field.append(option); });
  const before = state.own.get(`row:${row.hash}`);
  const start = before && before.decision === "edit" ? choices.findIndex((each) => each[0] === before.field) : 0;
  field.value = Math.max(0, start);
  const fill = () => {
    const [name, , text] = choices[field.value];
    box.value = before && before.decision === "edit" && before.field === name ? spelled(before.value) : text;
    box.rows = name === "label" ? 1 : 8;
  };
  field.addEventListener("change", fill);
  box.dir = "auto";
  box.setAttribute("aria-label", "The new text");
  field.setAttribute("aria-label", "The field to edit");
  const labels = make("div", "labels");
  for (const label of data.labels.slice(0, 12)) labels.append(makeButton(label, () => { field.value = choices.length - 1; box.value = label; }));
  const save = () => {
    const [name, , text] = choices[field.value];
    if (box.value === text) { problem.textContent = "The text is as it was: change it, or keep the row."; return; }
    const change = { field: name, value: unspelled(box.value) };
    closeEdit();
    decideOpen("edit", change);
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); save(); });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.preventDefault(); closeEdit(); card.focus(); }
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || (box.rows === 1 && event.target === box))) { event.preventDefault(); save(); }
  });
  const buttons = make("p");
  buttons.append(makeButton("Save", save, "Ctrl Enter"), " ", makeButton("Cancel", closeEdit, "Esc"));
  form.append(field, box, ...(choices.some((each) => each[0] === "label") && data.labels.length ? [labels] : []), make("p", "note", "Characters that cannot be seen are spelled out, as in ⟦U+200B⟧; delete them or leave them."), problem, buttons);
  card.querySelector(".choices").after(form);
  fill();
  box.focus();
}

function closeEdit() { document.querySelector("#queue-row form.edit")?.remove(); }
