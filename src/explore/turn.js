// The chosen turn in words: one line a step, the raw event beside it. Peer bytes come escaped and
// are only ever put in as text.

const ERRNO = { 32: "EPIPE", 104: "ECONNRESET", 110: "ETIMEDOUT", 111: "ECONNREFUSED", 113: "EHOSTUNREACH" };

function flagWords(flags) {
  const words = String(flags ?? "-").split("|").filter((flag) => has(`flag_${flag}`));
  return words.length === 0 ? String(flags) : words.map((flag) => say(`flag_${flag}`)).join(", ");
}

/// `Received 12`, `Refuse: why`, `Broken(104)`: the name and what comes after it.
function split(text) {
  const [, name, rest] = /^(\w+)[\s:(]*(.*?)\)?$/s.exec(String(text)) ?? [null, String(text), ""];
  return [name, rest];
}

function traceWords(prefix, text) {
  const [name, rest] = split(text);
  const key = `${prefix}_${name}`;
  if (!has(key)) return String(text);
  const amount = /^\d+$/.test(rest) ? bytes(Number(rest)) : rest;
  const errno = ERRNO[rest] ? `${rest}, ${ERRNO[rest]}` : rest;
  return say(key, { n: amount, x: prefix === "reason" ? errno : rest });
}

function interestWords(interest) {
  return has(`interest_${interest}`) ? say(`interest_${interest}`) : String(interest);
}

function callWords(entry) {
  const { kind, result, room, offered, listener } = entry;
  const isAmount = typeof result === "number";
  const values = {
    n: isAmount ? bytes(result) : "", room: bytes(room ?? 0), offered: bytes(offered ?? 0), l: listener ?? "", e: result,
    a: entry.address ?? "",
  };
  if (kind === "write" && isAmount) return say(result < offered ? "write_some" : "write_all", values);
  if (isAmount) return say(result === 0 ? `${kind}_0` : `${kind}_n`, values);
  if (kind === "accept" && result === "ok" && entry.address !== undefined) return say("accept_from", values);
  return say(result === "ok" || result === "WouldBlock" ? `${kind}_${result}` : `${kind}_error`, values);
}

/// One sentence for a step.
function sentence(entry) {
  switch (entry.kind) {
    case "ready":
      return entry.listener === undefined ? say("ready", { flags: flagWords(entry.flags) }) : say("ready_listener", { l: entry.listener });
    case "hold":
      return say(`hold_${entry.why}`, { n: bytes(entry.unsent ?? 0) });
    case "accept": case "connect": case "read": case "peek": case "write": case "shutdown":
      return callWords(entry);
    case "delivery":
      return entry.result === undefined ? say(entry.complete ? "delivery_all" : "delivery_some", { n: bytes(entry.acknowledged) }) : say("delivery_error", { e: entry.result });
    case "error":
      return entry.result === "ok" ? say("asked_none") : say("asked_error", { e: entry.result });
    case "open":
      return say("open", { p: entry.protocol ?? "" });
    case "close":
      return say("close", { r: traceWords("reason", entry.reason) });
    case "event":
      return say("event", { x: traceWords("event", entry.event) });
    case "effect":
      return say("effect", { x: traceWords("effect", entry.effect) });
    case "state":
      return say("state", { from: entry.from, to: entry.to });
    case "interest": {
      const was = entry.was !== undefined && entry.was !== entry.interest && entry.was !== "nothing";
      if (entry.result !== undefined) return say("interest_error", { e: entry.result });
      return say(was ? "interest_was" : "interest", { x: interestWords(entry.interest), was: interestWords(entry.was) });
    }
    case "timer":
      return entry.at === null || entry.at === undefined ? say("timer_off") : say("timer", { d: duration(Math.max(0, entry.at - entry.t)) });
    case "pause":
      return entry.until === undefined ? say("pause_short", { l: entry.listener }) : say("pause_until", { l: entry.listener, d: duration(Math.max(0, entry.until - entry.t)) });
    default:
      // Whoever has no words yet is shown as it is.
      return has(entry.kind) ? say(entry.kind, entry) : raw(entry);
  }
}

const PLAIN = new Set(["t", "turn", "kind", "peer", "name", "protocol", "listener", "data"]);

/// The event as in a line of the trace.
function raw(entry) {
  const fields = Object.entries(entry).filter(([key]) => !PLAIN.has(key));
  return [entry.kind, ...fields.map(([key, value]) => `${key}=${value}`)].join(" ");
}

function who(entry) {
  if (entry.listener !== undefined && entry.peer === undefined) return entry.listener;
  return entry.name ?? peerOf(entry)?.name ?? entry.peer ?? "";
}

function wakeWords(turn) {
  const d = duration(turn.waited ?? 0);
  if (typeof turn.ready === "string") return say("wake_error", { d, e: turn.ready });
  return turn.ready === 0 ? say("wake_none", { d }) : say("wake", { d, ready: readyWords(turn) });
}

function readyWords(turn) {
  return say("ready_n", { n: typeof turn.ready === "number" ? number(turn.ready) : turn.ready, count: turn.ready });
}

function turnSummary(turn) {
  return say("turn_about", { waited: duration(turn.waited ?? 0), ready: readyWords(turn), busy: duration(turn.busy ?? 0) });
}

function waitWords(turn) {
  if (turn.timeout === null || turn.timeout === undefined) return say("wait_ever");
  return turn.timeout === 0 ? say("wait_look") : say("wait_for", { d: duration(turn.timeout) });
}

/// The lines of a turn: its frame around the steps that are shown.
function linesOf(turn) {
  const frame = (kind, what, raw) => ({ entry: { kind }, what, raw });
  return [
    frame("wait", waitWords(turn), `wait timeout=${turn.timeout ?? "none"}`),
    frame("wake", wakeWords(turn), `wake waited=${turn.waited} events=${turn.ready}`),
    ...turn.steps.map((entry) => ({ entry, what: sentence(entry), raw: raw(entry) })),
    frame("end", say("over", { d: duration(turn.busy ?? 0) }), `end busy=${turn.busy}`),
  ];
}

/// What there is to say of the turn as a whole; without one, how to come by one.
function turnAbout() {
  const { chosen } = record;
  const words = chosen ? [turnSummary(chosen), timeline.away && say(timeline.away)] : [emptyWords() || say("turn_none")];
  put(document.getElementById("turn-about"), words.filter(Boolean).join(" · "));
}

function turnShow() {
  const turn = record.chosen;
  const body = document.querySelector("#entries tbody");
  const title = document.getElementById("turn-title");
  const note = document.getElementById("turn-note");
  if (!turn) {
    body.replaceChildren();
    title.textContent = say("turn");
    turnAbout();
    note.textContent = "";
    return;
  }
  title.textContent = say("turn_n", { n: number(turn.n) });
  turnAbout();
  body.replaceChildren(...linesOf(turn).map(lineRow));
  const hidden = turn.entries.filter((entry) => !FRAME.has(entry.kind)).length - turn.steps.length;
  note.textContent = [
    turn.cut > 0 ? say("cut", { n: number(turn.cut), count: turn.cut }) : "",
    hidden > 0 ? say("hidden_steps", { n: number(hidden), count: hidden }) : "",
  ].join(" ");
}

function lineRow({ entry, what, raw }) {
  const lane = laneOf(entry);
  const row = element("tr", { className: `lane-${lane}` });
  if (entry === record.step) {
    row.setAttribute("aria-current", "step");
    row.className += " now";
  }
  const outcome = outcomeOf(entry);
  const phase = element("td", {}, element("span", { className: "lane" }, say(`lane_${lane}`)));
  const name = who(entry);
  const subject = element("td", { className: "who" });
  if (entry.peer !== undefined) {
    const button = element("button", { type: "button", className: "link" }, name);
    button.title = say("follow", { name });
    button.addEventListener("click", () => {
      setFilter(name);
      // The button goes with its line; the way back is a good place to be.
      document.getElementById("filter-clear").focus();
    });
    subject.append(button);
  } else {
    subject.textContent = name;
  }
  const words = element("td", { className: `what ${outcome}` }, what);
  if (entry.data !== undefined) words.append(" ", element("code", {}, entry.data));
  row.append(phase, subject, words, element("td", { className: "raw" }, element("code", {}, raw)));
  // On a phone a line is laid out as a grid, which would take the roles away.
  row.setAttribute("role", "row");
  for (const cell of row.children) cell.setAttribute("role", "cell");
  return row;
}
