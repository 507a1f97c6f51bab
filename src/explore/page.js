// What ties the page together: the stream of events, what is chosen, pause and replay, language and
// theme. It opens no connection but to the server that it came from.

const LIVE_CHOICE_MS = 1500;
const FOLLOWED_CHOICE_MS = 300;
const SILENCE_MS = 3000;
const SPEEDS = [1, 2, 5, 10, 20];

const page = { meta: null, source: null, state: "connecting", heard: 0, missed: 0, retry: 1000, choseAt: 0, replay: 0, speed: 5 };

const byId = (id) => document.getElementById(id);

/// An element with these properties and children; strings become text, never markup.
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// --- the stream ---------------------------------------------------------------------------------

function connect() {
  page.source?.close();
  const source = (page.source = new EventSource("/events"));
  const on = (name, received) => source.addEventListener(name, (event) => {
    page.heard = performance.now();
    setState("live");
    received(JSON.parse(event.data));
  });
  on("meta", metaTold);
  on("tick", tickTold);
  on("turns", turnsArrived);
  on("table", tableTold);
  source.addEventListener("error", () => {
    if (page.source !== source) return;
    // We try again ourselves, so that a refusal does not end it for good.
    source.close();
    setState("broken");
    setTimeout(() => page.source === source && connect(), page.retry);
    page.retry = Math.min(page.retry * 2, 8000);
  });
}

function metaTold(meta) {
  page.meta = meta;
  page.retry = 1000;
  page.missed = 0;
  forget();
  machinesStart(machinesKnown(meta));
  tryMeta(meta.demos ?? []);
  words();
}

function tickTold(tick) {
  page.missed = tick.missed ?? 0;
  countersTold(tick);
  if (!record.paused) {
    countersShow();
    dialShow(tick);
  }
  status();
}

function turnsArrived(received) {
  remember(received);
  const added = received.turns ?? [];
  tryArrived(added.flatMap((turn) => turn.entries));
  if (!record.chosen) turnAbout();
  if (!record.paused) {
    for (const turn of added) turn.steps.forEach(machineSees);
    timelineGrew(added);
    chooseLive();
  }
  strip();
}

function tableTold(table) {
  if (record.paused) {
    for (const row of table.rows) learn(row.peer, { name: row.name, protocol: row.protocol });
    return;
  }
  if (peersTold(table)) {
    sift();
    strip();
    timelineDraw();
  }
  peersShow();
  machinesCount(table.states);
}

/// Where nobody has chosen, the newest turn in which something happened is shown, but not so often
/// that it cannot be read.
function chooseLive() {
  const now = performance.now();
  const patience = record.filter.trim() === "" ? LIVE_CHOICE_MS : FOLLOWED_CHOICE_MS;
  if (now - page.choseAt < patience || byId("entries").contains(document.activeElement)) return;
  const turn = shownTurns().findLast((turn) => turn.steps.length > 0);
  if (!turn || turn === record.chosen) return;
  page.choseAt = now;
  record.chosen = turn;
  turnShow();
  timelineDraw();
}

// --- the state of the page -----------------------------------------------------------------------

function setState(state) {
  if (page.state === state) return;
  page.state = state;
  status();
}

function status() {
  const silence = performance.now() - page.heard;
  let state = page.state;
  let text = say(state);
  if (state === "live" && silence > SILENCE_MS) {
    state = "silent";
    // Whole seconds, and few of them: this is read aloud.
    text = say("silent", { d: duration(Math.floor(silence / 5000) * 5e9 || 3e9) });
  } else if (state === "live" && record.paused) {
    state = page.replay ? "replaying" : "paused";
    text = say(state);
  }
  put(byId("missed"), page.missed > 0 ? say("slow", { n: number(page.missed) }) : "");
  byId("status").dataset.state = state;
  put(byId("status-words"), text);
}

function strip() {
  const shown = shownTurns().length;
  const isFiltered = record.filter.trim() !== "";
  put(byId("empty"), emptyWords());
  put(byId("strip"), shown > 0 ? say("strip", sums(shown)) : isFiltered && record.turns.length > 0 ? say("strip_filter") : say("empty"));
}

/// Turns have consecutive numbers, so those between the first and the last that are not recorded were
/// left out, by the server's sample or because this browser was too slow.
function sums(shown) {
  const { turns } = record;
  const [from, to, recorded] = [turns[0].n, turns.at(-1).n, turns.length];
  const all = to - from + 1;
  const values = { from, to, all, recorded, shown, hidden: recorded - shown, left: all - recorded };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, number(value)]));
}

/// Where nothing has happened yet but sleep: how to make something happen.
function emptyWords() {
  if (page.meta === null || record.filter.trim() !== "" || shownTurns().some((turn) => turn.steps.length > 0)) return "";
  return `${say("empty")} ${pressWords()}`;
}

function setPaused(paused) {
  if (record.paused === paused) return;
  record.paused = paused;
  if (!paused) {
    replayStop();
    record.step = null;
    page.choseAt = 0;
    chooseLive();
  }
  controls();
  timelineHold();
  status();
}

function choose(turn, byHand) {
  if (!turn) return;
  if (byHand) replayStop();
  setPaused(true);
  record.chosen = turn;
  record.step = null;
  turnShow();
  timelineDraw();
}

function setFilter(text) {
  record.filter = text;
  if (byId("filter").value !== text) byId("filter").value = text;
  byId("filter-clear").disabled = text === "";
  page.choseAt = 0;
  sift();
  if (!record.paused) chooseLive();
  turnShow();
  peersShow();
  strip();
  timelineDraw();
}

// --- slow motion ---------------------------------------------------------------------------------

function replayStart() {
  // From the chosen turn if it was chosen, else from the last dozen.
  const turn = record.paused && record.chosen ? record.chosen : shownTurns().slice(-12)[0];
  if (!turn) return;
  choose(turn, true);
  record.step = null;
  page.replay = setTimeout(replayStep, 0);
  controls();
  status();
}

function replayStop() {
  if (!page.replay) return;
  clearTimeout(page.replay);
  page.replay = 0;
  controls();
  status();
}

/// One step further: the next of the turn, or the first of the next turn.
function replayStep() {
  const { chosen } = record;
  const at = record.step === null ? 0 : chosen.steps.indexOf(record.step) + 1;
  if (at < chosen.steps.length) {
    record.step = chosen.steps[at];
    machineReplays(record.step);
  } else {
    const next = turnAway(1);
    if (next === chosen || next === null) return replayStop();
    record.chosen = next;
    record.step = null;
  }
  turnShow();
  document.querySelector("#entries .now")?.scrollIntoView({ block: "nearest", behavior: "instant" });
  timelineDraw();
  page.replay = setTimeout(replayStep, 1000 / page.speed);
}

/// In a replay the peer may be long gone: only a move that was recorded is shown.
function machineReplays(entry) {
  const protocol = protocolOf(entry);
  if (protocol && entry.kind === "state") machineMoved(protocol, entry.from, entry.to);
}

// --- controls, words, theme ----------------------------------------------------------------------

function controls() {
  put(byId("pause"), say(record.paused ? "resume" : "pause"));
  byId("pause").setAttribute("aria-pressed", String(record.paused));
  put(byId("replay"), say(page.replay ? "replay_stop" : "replay"));
  byId("replay").setAttribute("aria-pressed", String(page.replay !== 0));
}

/// Puts the words of the language everywhere.
function words() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const place of document.querySelectorAll("[data-say]")) put(place, say(place.dataset.say));
  for (const place of document.querySelectorAll("[data-label]")) {
    place.setAttribute("aria-label", say(place.dataset.label));
    place.title = say(place.dataset.label);
  }
  byId("filter").placeholder = say("filter_hint");
  byId("timeline").setAttribute("aria-label", say("canvas"));
  byId("lanes").replaceChildren(...LANES.map((lane) => element("li", { className: `lane-${lane}` }, element("span", { className: "lane" }, say(`lane_${lane}`)))));
  byId("legend").replaceChildren(`${say("legend")}: `, ...["done", "block", "end", "error"].map((outcome) => element("span", { className: `mark ${outcome}` }, say(`mark_${outcome}`))));
  byId("speed").replaceChildren(...SPEEDS.map((speed) => element("option", { value: String(speed), selected: speed === page.speed }, say("speed_each", { n: number(speed), count: speed }))));
  put(byId("foot"), say("foot", { v: page.meta?.version ?? "" }));
  controls();
  status();
  tryWords(page.meta);
  strip();
  turnShow();
  peersWords();
  machinesCount(peers.table?.states);
  countersWords();
  timelineDraw();
}

function kept(key) {
  try {
    return localStorage.getItem(`epollo-${key}`);
  } catch {
    return null;
  }
}

function keep(key, value) {
  try {
    localStorage.setItem(`epollo-${key}`, value);
  } catch {
    // Then it is forgotten with the page.
  }
}

function setLanguage(chosen) {
  language = chosen in WORDS ? chosen : "en";
  byId("language").value = language;
  words();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").value = theme;
  timelineColors();
}

function listen() {
  byId("language").addEventListener("change", (event) => {
    keep("language", event.target.value);
    setLanguage(event.target.value);
  });
  byId("theme").addEventListener("change", (event) => {
    keep("theme", event.target.value);
    setTheme(event.target.value);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", timelineColors);
  byId("pause").addEventListener("click", () => setPaused(!record.paused));
  byId("first").addEventListener("click", () => choose(turnAway(-Infinity), true));
  byId("previous").addEventListener("click", () => choose(turnAway(-1), true));
  byId("next").addEventListener("click", () => choose(turnAway(1), true));
  byId("last").addEventListener("click", () => choose(turnAway(Infinity), true));
  byId("replay").addEventListener("click", () => (page.replay ? replayStop() : replayStart()));
  byId("speed").addEventListener("change", (event) => (page.speed = Number(event.target.value)));
  byId("filter").addEventListener("input", (event) => setFilter(event.target.value));
  byId("filter-clear").addEventListener("click", () => setFilter(""));
  byId("own").addEventListener("change", (event) => {
    record.own = event.target.checked;
    machinesStart({});
    machinesCount(peers.table?.states);
    setFilter(record.filter);
  });
  document.addEventListener("keydown", keyDown);
}

const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/// Arrows step through the turns, except where they already mean something.
function keyDown(event) {
  if (!(event.key in KEYS) || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || event.target.closest(".scroll")) return;
  event.preventDefault();
  choose(turnAway(KEYS[event.key]), true);
}

function start() {
  timelineStart();
  peersStart();
  dialStart();
  tryStart();
  listen();
  setTheme(["light", "dark"].includes(kept("theme")) ? kept("theme") : "auto");
  setLanguage(kept("language") ?? (navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en"));
  setInterval(status, 1000);
  connect();
}

start();
