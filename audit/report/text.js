"use strict";
// Row text is hostile: it reaches the page through textContent alone.
const data = JSON.parse(document.getElementById("data").textContent);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  return element;
}

// [pieces, shown, total, offset] -> a span; a plain piece is a string, another [text, mark].
function textNode(value) {
  const [pieces, shown, total, offset] = value;
  const span = make("span", "text");
  span.dir = "auto";
  if (offset) span.append(make("span", "clip", "… "));
  for (const piece of pieces) {
    if (typeof piece === "string") span.append(piece);
    else if (piece[1] === "hit") span.append(make("mark", "", piece[0]));
    else span.append(make("span", piece[1] === "chip" ? "chip" : "chip on", piece[0]));
  }
  if (shown < total) {
    span.append(make("span", "clip", ` … ${shown.toLocaleString("en")} of ${total.toLocaleString("en")} characters shown`));
  }
  return span;
}

function plainText(value) {
  return value[0].map((piece) => (typeof piece === "string" ? piece : piece[1] === "hit" ? piece[0] : `⟦${piece[0]}⟧`)).join("");
}

function badge(word) {
  const known = ["keep", "review", "remove", "unreadable"];
  return make("span", `badge ${known.includes(word) ? word : "other"}`, word);
}

function fieldNode(field, named) {
  const [name, role, text] = field;
  const roles = ["input", "output", "rejected", "turn"];
  const node = make("div", `field ${roles.includes(role) ? role : "input"}`);
  if (role === "turn" && /^(user|human|prompter)$/i.test(name)) node.classList.add("user");
  if (named) node.append(make("span", "name", name));
  node.append(textNode(text));
  return node;
}

function contentNode(fields) {
  const pair = fields.some((field) => field[1] === "rejected");
  const node = make("div", pair ? "content pair" : "content");
  for (const field of fields) node.append(fieldNode(field, fields.length > 1));
  return node;
}

function percentText(share) {
  const value = share * 100;
  return value > 0 && value < 0.1 ? "under 0.1%" : `${value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)}%`;
}
