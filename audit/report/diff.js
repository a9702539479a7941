// A word diff of the two sides of a pair: what stands in one of them alone is marked.
const MOST_CELLS = 4e6;
const COMPARED = 60, LEAST_SHARED = 0.2; // texts of more words that share less than this are not marked

// A text's pieces cut into words, spaces and marked pieces.
function tokens(value) {
  return value[0].flatMap((piece) => (typeof piece === "string" ? piece.split(/(\s+)/).filter(Boolean) : [piece]));
}

function tokenText(token) { return typeof token === "string" ? token : token[0]; }

function isSpace(token) { return typeof token === "string" && !token.trim(); }

// For each token whether the other list lacks it, by the longest common subsequence of words. Spaces are not compared:
// one between two words that are lacked goes with them. Null for texts too long, and where long ones share few words.
function onlyHere(one, two) {
  const lists = [one, two].map((list) => list.filter((token) => !isSpace(token))), lone = loneWords(...lists.map((list) => list.map(tokenText)));
  if (!lone) return null;
  const words = lone[0].length + lone[1].length, shared = lone.flat().filter((each) => !each).length;
  if (words > COMPARED && shared < LEAST_SHARED * words) return null;
  return [one, two].map((list, side) => {
    let at = 0;
    const marks = list.map((token) => (isSpace(token) ? null : lone[side][at++]));
    return marks.map((mark, i) => (mark === null ? Boolean(marks[i - 1] && marks[i + 1]) : mark));
  });
}

// For each word whether the other list lacks it; null for lists too long.
function loneWords(a, b) {
  const lone = [a.map(() => true), b.map(() => true)];
  let start = 0, end = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start += 1;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const n = a.length - start - end, m = b.length - start - end, width = m + 1;
  if (n * m > MOST_CELLS) return null;
  const longest = new Uint16Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      longest[i * width + j] = a[start + i] === b[start + j] ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  for (let at = 0; at < start; at += 1) { lone[0][at] = false; lone[1][at] = false; }
  for (let at = 1; at <= end; at += 1) { lone[0][a.length - at] = false; lone[1][b.length - at] = false; }
  for (let i = 0, j = 0; i < n && j < m;) {
    if (a[start + i] === b[start + j]) { lone[0][start + i] = false; lone[1][start + j] = false; i += 1; j += 1; }
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return lone;
}

// The two texts of a pair as nodes, words of one side alone in <ins> (chosen) and <del> (rejected).
function pairNodes(chosen, rejected) {
  const sides = [tokens(chosen), tokens(rejected)], lone = onlyHere(...sides);
  return [chosen, rejected].map((value, side) => {
    const node = textNode([[], value[1], value[2], value[3]]);
    const clip = value[1] < value[2] ? node.lastChild : null;
    let run = null;
    sides[side].forEach((token, at) => {
      const marked = lone && lone[side][at];
      if (marked && !run) { run = make(side ? "del" : "ins"); node.insertBefore(run, clip); }
      if (!marked) run = null;
      if (run) run.append(pieceNode(token));
      else node.insertBefore(pieceNode(token), clip);
    });
    return node;
  });
}
