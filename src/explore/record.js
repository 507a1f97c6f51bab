// What the page remembers: the recorded turns, who is who, what is chosen and what is hidden.
// It draws nothing; whoever draws asks it.

const TURNS_MAX = 2000;
/// While the picture stands still nothing old is forgotten, so this is where recording ends.
const TURNS_MAX_PAUSED = 6000;
const NAMES_MAX = 20_000;

const record = {
  turns: [],        // as received, oldest first, each with `steps` for what this page shows
  chosen: null,     // the turn in words
  step: null,       // the step of it that slow motion has reached
  paused: false,
  filter: "",
  own: false,       // show them too
  peers: new Map(), // id -> {name, protocol, state}
};

/// Peers of the loop that are nobody's connection: this page, our end of its demo clients, the
/// terminal, the signals.
const OWN = new Set(["page", "demo", "terminal", "signals"]);

function isOwn(protocol) {
  return OWN.has(protocol);
}

function peerOf(entry) {
  return entry.peer === undefined ? undefined : record.peers.get(entry.peer);
}

function protocolOf(entry) {
  return entry.protocol ?? peerOf(entry)?.protocol ?? entry.listener ?? "";
}

function learn(id, facts) {
  let peer = record.peers.get(id);
  if (!peer) {
    if (record.peers.size >= NAMES_MAX) record.peers.delete(record.peers.keys().next().value);
    record.peers.set(id, (peer = {}));
  }
  return Object.assign(peer, facts);
}

/// What a entry teaches about its peer.
function learnFrom(entry) {
  if (entry.peer === undefined) return;
  const facts = {};
  if (entry.name !== undefined) facts.name = entry.name;
  if (entry.protocol !== undefined) facts.protocol = entry.protocol;
  if (entry.kind === "state") facts.state = entry.to;
  if (entry.kind === "open" && entry.state !== undefined) facts.state = entry.state;
  learn(entry.peer, facts);
}

function matches(words) {
  const wanted = record.filter.trim().toLowerCase();
  return wanted === "" || words.some((word) => word !== undefined && String(word).toLowerCase().includes(wanted));
}

/// An exact address is one connection; anything else is looked for in all that is known of it.
function peerMatches(id, name, protocol, state) {
  const wanted = record.filter.trim();
  if (/:\d+$/.test(wanted)) return name === wanted;
  return matches([name, id, protocol, state]);
}

function isShown(entry) {
  const protocol = protocolOf(entry);
  if (!record.own && isOwn(protocol)) return false;
  if (record.filter.trim() === "") return true;
  const peer = peerOf(entry);
  return peerMatches(entry.peer, entry.name ?? peer?.name, protocol, peer?.state);
}

const FRAME = new Set(["wait", "wake", "end"]);

/// The steps of a turn that are to be shown, without its frame of wait, wake and end. How a
/// connection came in belongs to it: its listener is shown with it.
function stepsOf(turn) {
  const steps = turn.entries.filter((entry) => !FRAME.has(entry.kind));
  const opened = steps.filter((entry) => entry.kind === "open" && isShown(entry));
  const origins = new Set(opened.map(protocolOf));
  const names = new Set(opened.map((entry) => entry.name));
  const isDoor = ({ peer, listener, address }) => peer === undefined && origins.has(listener) && (address === undefined || names.has(address));
  return steps.filter((entry) => isShown(entry) || isDoor(entry));
}

/// Turns that have something to show under the filter. Turns with nothing but the page's own
/// doings are left out too, but not those in which nothing happened at all.
function isTurnShown(turn) {
  if (turn.steps.length > 0) return true;
  return record.filter.trim() === "" && !turn.entries.some((entry) => !FRAME.has(entry.kind));
}

function shownTurns() {
  return record.shown ?? (record.shown = record.turns.filter(isTurnShown));
}

/// The filter has changed, or what is hidden.
function sift() {
  for (const turn of record.turns) turn.steps = stepsOf(turn);
  record.shown = null;
}

function remember(received) {
  const turns = received.turns ?? [];
  const newest = record.turns.at(-1);
  // The server was started anew: its turns are counted from the start again.
  if (newest && turns.length > 0 && turns[0].n < newest.n) forget();
  for (const turn of turns) {
    turn.entries ??= [];
    turn.entries.forEach(learnFrom);
    turn.steps = stepsOf(turn);
    if (!record.paused || record.turns.length < TURNS_MAX_PAUSED) record.turns.push(turn);
  }
  if (!record.paused && record.turns.length > TURNS_MAX) record.turns.splice(0, record.turns.length - TURNS_MAX);
  record.shown = null;
}

function forget() {
  record.turns = [];
  record.shown = null;
  record.chosen = null;
  record.step = null;
  record.peers.clear();
}

/// The turn that is this many places away from the chosen one among those shown.
function turnAway(places) {
  const turns = shownTurns();
  if (turns.length === 0) return null;
  const at = record.chosen ? turns.findIndex((turn) => turn.n >= record.chosen.n) : turns.length - 1;
  const from = at < 0 ? turns.length - 1 : at;
  return turns[Math.max(0, Math.min(turns.length - 1, from + places))];
}
