// What the page remembers: the recorded turns, who is who, what is chosen and what is hidden.
// It draws nothing; whoever draws asks it.

const TURNS_MAX = 2000;
/// While the picture stands still nothing old is forgotten, so this is where recording ends.
const TURNS_MAX_PAUSED = 6000;
const NAMES_MAX = 20_000;

const record = {
  turns: [],        // as told, oldest first, each with `steps` for what this page shows
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

function peerOf(moment) {
  return moment.peer === undefined ? undefined : record.peers.get(moment.peer);
}

function protocolOf(moment) {
  return moment.protocol ?? peerOf(moment)?.protocol ?? moment.listener ?? "";
}

function learn(id, facts) {
  let peer = record.peers.get(id);
  if (!peer) {
    if (record.peers.size >= NAMES_MAX) record.peers.delete(record.peers.keys().next().value);
    record.peers.set(id, (peer = {}));
  }
  return Object.assign(peer, facts);
}

/// What a moment teaches about its peer.
function learnFrom(moment) {
  if (moment.peer === undefined) return;
  const facts = {};
  if (moment.name !== undefined) facts.name = moment.name;
  if (moment.protocol !== undefined) facts.protocol = moment.protocol;
  if (moment.moment === "state") facts.state = moment.to;
  if (moment.moment === "open" && moment.state !== undefined) facts.state = moment.state;
  learn(moment.peer, facts);
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

function isShown(moment) {
  const protocol = protocolOf(moment);
  if (!record.own && isOwn(protocol)) return false;
  if (record.filter.trim() === "") return true;
  const peer = peerOf(moment);
  return peerMatches(moment.peer, moment.name ?? peer?.name, protocol, peer?.state);
}

const FRAME = new Set(["wait", "wake", "end"]);

/// The steps of a turn that are to be shown, without its frame of wait, wake and end. How a
/// connection came in belongs to it: its listener is shown with it.
function stepsOf(turn) {
  const steps = turn.moments.filter((moment) => !FRAME.has(moment.moment));
  const opened = steps.filter((moment) => moment.moment === "open" && isShown(moment));
  const doors = new Set(opened.map(protocolOf));
  const names = new Set(opened.map((moment) => moment.name));
  const isDoor = ({ peer, listener, address }) => peer === undefined && doors.has(listener) && (address === undefined || names.has(address));
  return steps.filter((moment) => isShown(moment) || isDoor(moment));
}

/// Turns that have something to show under the filter. Turns with nothing but the page's own
/// doings are left out too, but not those in which nothing happened at all.
function isTurnShown(turn) {
  if (turn.steps.length > 0) return true;
  return record.filter.trim() === "" && !turn.moments.some((moment) => !FRAME.has(moment.moment));
}

function shownTurns() {
  return record.shown ?? (record.shown = record.turns.filter(isTurnShown));
}

/// The filter has changed, or what is hidden.
function sift() {
  for (const turn of record.turns) turn.steps = stepsOf(turn);
  record.shown = null;
}

function remember(told) {
  const turns = told.turns ?? [];
  const newest = record.turns.at(-1);
  // The server was started anew: its turns are counted from the start again.
  if (newest && turns.length > 0 && turns[0].n < newest.n) forget();
  for (const turn of turns) {
    turn.moments ??= [];
    turn.moments.forEach(learnFrom);
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
