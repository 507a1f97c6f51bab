// The table of connections. The server sends a sample of them twice a second; rows are kept and only
// what changed is put in anew, so that a reader keeps the place.

const COLUMNS = [
  ["peer", (row) => row.name],
  ["protocol", (row) => row.protocol],
  ["state", (row) => row.state],
  ["interest", (row) => (has(`armed_${row.interest}`) ? say(`armed_${row.interest}`) : row.interest)],
  ["in", (row) => bytes(row.in)],
  ["out", (row) => bytes(row.out)],
  ["outbox", (row) => (row.outbox === 0 ? say("none") : bytes(row.outbox))],
  ["halves", (row) => halves(row.halves)],
  ["idle", (row) => milliseconds(row.idle_ms)],
  ["timer", (row) => (row.timer_ms === null || row.timer_ms === undefined ? say("none") : milliseconds(Math.max(0, row.timer_ms)))],
];
const NUMBERS = new Set(["in", "out", "outbox", "idle", "timer"]);

const peers = { table: null, rows: new Map(), body: null };

/// `open/finished`: what the peer sends / what we send.
function halves(received) {
  const words = String(received ?? "").split("/").map((word) => (has(`half_${word}`) ? say(`half_${word}`) : word));
  return words[0] === words[1] ? words[0] : `${say("half_in")} ${words[0]}, ${say("half_out")} ${words[1]}`;
}

function peersStart() {
  peers.body = document.querySelector("#peer-table tbody");
}

function peersWords() {
  const heads = COLUMNS.map(([name]) => {
    const head = element("th", { scope: "col", className: NUMBERS.has(name) ? "amount" : "" }, say(`col_${name}`));
    head.setAttribute("role", "columnheader");
    return head;
  });
  document.getElementById("peer-head").replaceChildren(...heads);
  peers.rows.clear();
  peers.body.replaceChildren();
  peersShow();
}

/// Returns whether a connection turned out to be the page's own.
function peersTold(table) {
  peers.table = table;
  let isNews = false;
  for (const row of table.rows) {
    isNews ||= isOwn(row.protocol) && !isOwn(record.peers.get(row.peer)?.protocol);
    learn(row.peer, { name: row.name, protocol: row.protocol, state: row.state });
  }
  return isNews;
}

function peerRow(row) {
  const line = element("tr");
  line.setAttribute("role", "row");
  const cells = COLUMNS.map(([name]) => {
    const isHead = name === "peer";
    const cell = element(isHead ? "th" : "td", { className: `${NUMBERS.has(name) ? "amount" : ""} col-${name}` });
    cell.setAttribute("role", isHead ? "rowheader" : "cell");
    if (isHead) cell.scope = "row";
    cell.dataset.label = say(`col_${name}`);
    line.append(cell);
    return cell;
  });
  const button = element("button", { type: "button", className: "link" });
  button.addEventListener("click", () => setFilter(button.textContent === record.filter ? "" : button.textContent));
  line.addEventListener("click", (event) => {
    if (event.target.tagName !== "BUTTON" && getSelection().isCollapsed) button.click();
  });
  cells[0].append(button);
  return { line, cells, button, peer: row.peer };
}

function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function peerFill(kept, row) {
  COLUMNS.forEach(([name, words], at) => put(name === "peer" ? kept.button : kept.cells[at], words(row)));
  const isFollowed = row.name === record.filter;
  if (kept.isFollowed !== isFollowed) {
    kept.isFollowed = isFollowed;
    kept.line.classList.toggle("followed", isFollowed);
    kept.button.setAttribute("aria-pressed", String(isFollowed));
    kept.button.title = say(isFollowed ? "following" : "follow", { name: row.name });
  }
  kept.line.classList.toggle("waiting", row.outbox > 0);
}

function peersShow() {
  const { table, body } = peers;
  if (!table) return;
  const received = table.rows.filter((row) => record.own || !isOwn(row.protocol));
  const rows = received.filter((row) => peerMatches(row.peer, row.name, row.protocol, row.state));
  const alive = new Set(rows.map((row) => row.peer));
  for (const [id, kept] of peers.rows) {
    if (!alive.has(id)) {
      kept.line.remove();
      peers.rows.delete(id);
    }
  }
  rows.forEach((row, at) => {
    let kept = peers.rows.get(row.peer);
    if (!kept) peers.rows.set(row.peer, (kept = peerRow(row)));
    peerFill(kept, row);
    // Moving a row that is in its place already would take the focus from its button.
    if (body.children[at] !== kept.line) body.insertBefore(kept.line, body.children[at] ?? null);
  });
  peersCount(table, received.length, rows.length);
}

function peersCount(table, received, shown) {
  const shownStates = Object.entries(table.states).filter(([protocol]) => record.own || !isOwn(protocol));
  const total = shownStates.flatMap(([, states]) => Object.values(states)).reduce((sum, one) => sum + one, 0);
  const count = document.getElementById("peers-count");
  const words = received < total ? say("peers_shown", { shown: number(received), total: number(total) }) : say("peers_all", { total: number(total), count: total });
  put(count, record.filter.trim() === "" ? `${words}.` : `${words}, ${say("peers_match", { n: number(shown) })}.`);
  const note = document.getElementById("peers-note");
  put(note, total === 0 ? `${say("peers_none")} ${pressWords()}` : shown === 0 ? say("peers_no_match") : "");
}
