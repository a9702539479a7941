"use strict";
// Row text is hostile: it reaches the page through textContent alone.
const data = JSON.parse(document.getElementById("data").textContent);
const VERDICTS = ["keep", "review", "remove", "unreadable"];

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  return element;
}

function makeButton(text, run, key) {
  const button = make("button", "", text);
  button.type = "button";
  if (key) button.append(" ", make("kbd", "", key));
  button.addEventListener("click", run);
  return button;
}

// A shape of an SVG picture; numbers and fixed words only.
function draw(tag, attributes) {
  const shape = document.createElementNS(document.querySelector("svg").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
  return shape;
}

// [pieces, shown, total, offset] -> a span; a plain piece is a string, another [text, mark].
function textNode(value) {
  const [pieces, shown, total, offset] = value;
  const span = make("span", "text");
  span.dir = "auto";
  if (offset) span.append(make("span", "clip", "… "));
  for (const piece of pieces) span.append(pieceNode(piece));
  if (shown < total) {
    span.append(make("span", "clip", ` … ${shown.toLocaleString("en")} of ${total.toLocaleString("en")} characters shown`));
  }
  return span;
}

function pieceNode(piece) {
  if (typeof piece === "string") return document.createTextNode(piece);
  if (piece[1] === "hit") return make("mark", "", piece[0]);
  return make("span", piece[1] === "chip" ? "chip" : "chip on", piece[0]);
}

function plainText(value) {
  return value[0].map((piece) => (typeof piece === "string" ? piece : piece[1] === "hit" ? piece[0] : `⟦${piece[0]}⟧`)).join("");
}

// Text with what cannot be seen spelled out as ⟦U+200B⟧, and back.
const UNSEEN = /[\p{C}\p{Z}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

function spelled(text) {
  return text.replace(UNSEEN, (char) => (char === " " || char === "\n" || char === "\t" ? char
    : `⟦U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟧`));
}

function unspelled(text) {
  return text.replace(/⟦U\+([0-9A-F]{4,6})⟧/g, (whole, code) => {
    const point = parseInt(code, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

// The text of a value that is neither cut nor ambiguous, invisible characters spelled out; null for another.
function editableText(value) {
  const [pieces, shown, total, offset] = value;
  if (shown < total || offset) return null;
  let text = "";
  for (const piece of pieces) {
    const [words, mark] = typeof piece === "string" ? [piece, ""] : piece;
    const chip = mark.endsWith("chip") && /^U\+([0-9A-F]{4,6})(?: [^×]*?)?(?: ×(\d+))?$/.exec(words);
    if (chip) text += `⟦U+${chip[1]}⟧`.repeat(Number(chip[2] || 1));
    else if (words.includes("⟦U+")) return null;
    else text += words;
  }
  return text;
}

function badge(word) {
  return make("span", `badge ${VERDICTS.includes(word) ? word : "other"}`, word);
}

function percentText(share) {
  const value = share * 100;
  return value > 0 && value < 0.1 ? "under 0.1%" : `${value >= 99.95 || value === 0 ? value.toFixed(0) : value.toFixed(1)}%`;
}

function countText(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
