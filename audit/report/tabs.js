// One section at a time; without this script all of them stand one under another. The address says which:
// #triggers, #trigger-3, #row-512, #annotator-2.
const sections = [...document.querySelectorAll("main > section")];

function isOpen(id) {
  return document.getElementById(id).classList.contains("open");
}

function showAddress() {
  const name = location.hash.slice(1);
  const row = /^row-(\d+)$/.exec(name);
  const trigger = /^trigger-(\d+)$/.exec(name);
  const person = /^annotator-(\d+)$/.exec(name);
  const wanted = row ? "rows" : trigger ? "triggers" : person ? "annotators" : name;
  const section = sections.find((each) => each.id === wanted) || sections[0];
  for (const each of sections) each.classList.toggle("open", each === section);
  document.body.classList.toggle("front", section === sections[0]);
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${section.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (row && rowsByNumber.has(Number(row[1]))) openRow(rowsByNumber.get(Number(row[1])), true);
  if (section.id === "overview" && document.getElementById("map")) drawMap();
  if (trigger || person) { const card = document.getElementById(name); if (card) { card.scrollIntoView({ block: person ? "center" : "start" }); card.focus({ preventScroll: true }); } }
  else if (name && name !== "main") section.focus({ preventScroll: true });
}

document.documentElement.classList.add("js");
addEventListener("hashchange", showAddress);
startState();
startQueue();
startCards();
startPeople();
startMap();
startDecide();
showProgress();
showDecisions();
showAddress();
