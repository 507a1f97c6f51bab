// The loop as a timeline: every turn a stroke through the lanes. Each step is equally wide; sleep is
// as wide as the logarithm of its length. It draws what record.js holds and changes nothing there.

const LANES = ["sleep", "ready", "read", "decide", "write", "arm"];
const LANE_OF = {
  wait: "sleep", wake: "sleep", end: "sleep", ready: "ready", accept: "read", connect: "read", read: "read", peek: "read", hold: "read",
  event: "decide", state: "decide", effect: "decide", open: "decide", close: "decide",
  write: "write", shutdown: "write", interest: "arm", timer: "arm", fire: "ready", pause: "arm",
  delivery: "arm", error: "arm",
};
const STEP = 5;
const GAP = 9;
const FOOT = 18;
const SEEN_MIN = 24;
const NUMBER_GAP = 40;

const timeline = {
  canvas: null, context: null, colors: {}, width: 0, height: 0, places: [],
  drift: 0, held: 0, asked: false, away: "",
  calm: matchMedia("(prefers-reduced-motion: reduce)"),
};

function laneOf(entry) {
  return LANE_OF[entry.kind] ?? "decide";
}

/// How a step went: `done`, `block`, `end` or `error`.
function outcomeOf(entry) {
  const result = entry.result;
  if (entry.kind === "close") return "end";
  if (entry.kind === "hold") return "block";
  if (result === undefined || result === "ok") return "done";
  if (result === "WouldBlock") return "block";
  if (result === 0 && entry.kind !== "write") return "end";
  return typeof result === "number" ? "done" : "error";
}

function sleepWidth(waited) {
  return 8 + 11 * Math.log10(1 + waited / 1000);
}

function turnWidth(turn) {
  return sleepWidth(turn.waited ?? 0) + Math.max(2, turn.steps.length + 1) * STEP + GAP;
}

function twoDigits(value) {
  return number(Number(value.toPrecision(2)), value < 9.5 && !Number.isInteger(value) ? 1 : 0);
}

function timelineStart() {
  timeline.canvas = document.getElementById("timeline");
  timeline.context = timeline.canvas.getContext("2d");
  new ResizeObserver(timelineFit).observe(timeline.canvas);
  const turnAt = (x) => timeline.places.find((place) => x >= place.from && x < place.to)?.turn;
  timeline.canvas.addEventListener("click", (event) => choose(turnAt(event.offsetX), true));
  timeline.canvas.addEventListener("pointermove", (event) => {
    const turn = turnAt(event.offsetX);
    timeline.canvas.title = turn ? `${say("turn_n", { n: number(turn.n) })}: ${turnSummary(turn)}` : "";
  });
  timelineColors();
}

function timelineColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of [...LANES, "ink", "muted", "line", "panel", "chosen", "bad"]) {
    timeline.colors[name] = style.getPropertyValue(`--${name}`).trim();
  }
  timeline.mono = style.getPropertyValue("--mono").trim();
  timelineDraw();
}

function timelineFit() {
  const { canvas } = timeline;
  const scale = window.devicePixelRatio || 1;
  timeline.width = canvas.clientWidth;
  timeline.height = canvas.clientHeight;
  canvas.width = Math.round(timeline.width * scale);
  canvas.height = Math.round(timeline.height * scale);
  timeline.context.setTransform(scale, 0, 0, scale, 0, 0);
  timelineDraw();
}

/// The turns on the screen. Live, the newest is at the right edge. While the picture stands still, it
/// moves only if the chosen turn would be out of sight.
function timelinePlaces() {
  const turns = shownTurns();
  if (!record.paused) return placesUpTo(turns, turns.length);
  const { held, drift } = timeline;
  const after = turns.findIndex((turn) => turn.n > held);
  const places = placesUpTo(turns, after < 0 ? turns.length : after);
  const chosen = turns.findIndex((turn) => turn.n >= (record.chosen?.n ?? Infinity));
  if (chosen < 0 || places.some(({ turn, from, to }) => turn === turns[chosen] && from >= 0 && to <= timeline.width + drift)) return places;
  let ahead = 0;
  let end = chosen + 1;
  for (; end < turns.length && ahead < timeline.width / 2; end += 1) ahead += turnWidth(turns[end]);
  timeline.drift = 0;
  timeline.held = turns[end - 1].n;
  return placesUpTo(turns, end);
}

function placesUpTo(turns, end) {
  const places = [];
  let to = timeline.width - 6 + timeline.drift;
  for (let at = end - 1; at >= 0 && to > 0; at -= 1) {
    const from = to - turnWidth(turns[at]);
    places.push({ turn: turns[at], from, to });
    to = from;
  }
  return places.reverse();
}

/// The picture stands still from now on, as it is, or moves again.
function timelineHold() {
  timeline.held = shownTurns().at(-1)?.n ?? 0;
  if (!record.paused) timeline.drift = 0;
  timelineDraw();
}

/// New turns have come: they slide in instead of jumping.
function timelineGrew(added) {
  if (record.paused) return;
  if (timeline.calm.matches || document.hidden) return timelineDraw();
  const width = added.filter(isTurnShown).reduce((sum, turn) => sum + turnWidth(turn), 0);
  timeline.drift = Math.min(timeline.drift + width, timeline.width * 0.6);
  timelineDraw();
}

function timelineDraw() {
  if (timeline.asked || !timeline.context) return;
  timeline.asked = true;
  requestAnimationFrame(() => {
    timeline.asked = false;
    timelinePaint();
    if (timeline.drift > 0 && !record.paused) {
      timeline.drift = timeline.drift < 1 ? 0 : timeline.drift * 0.86;
      timelineDraw();
    }
  });
}

function laneTop(lane) {
  return (LANES.indexOf(lane) * (timeline.height - FOOT)) / LANES.length;
}

function laneHeight() {
  return (timeline.height - FOOT) / LANES.length;
}

function timelinePaint() {
  const { context, colors, width, height } = timeline;
  context.clearRect(0, 0, width, height);
  context.strokeStyle = colors.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const lane of LANES.slice(1)) {
    const y = Math.round(laneTop(lane)) + 0.5;
    context.moveTo(0, y);
    context.lineTo(width, y);
  }
  context.stroke();
  timeline.places = timelinePlaces();
  timeline.places.forEach(paintTurn);
  paintNumbers();
  chosenIsAway();
}

/// The number of the chosen turn, and of as many others as have room: none is cut off at an edge, and
/// none lies on another.
function paintNumbers() {
  const { context, colors, width, height, places } = timeline;
  const taken = [];
  const paint = ({ turn, from }, isChosen) => {
    context.font = `${isChosen ? "600 " : ""}10.5px ${timeline.mono}`;
    const words = number(turn.n);
    const wide = context.measureText(words).width;
    const x = isChosen ? Math.max(2, Math.min(from + 2, width - wide - 2)) : from + 2;
    const isFree = x >= 2 && x + wide <= width - 2 && !taken.some((other) => x < other.to + NUMBER_GAP && other.from < x + wide + NUMBER_GAP);
    if (!isFree) return;
    taken.push({ from: x, to: x + wide });
    context.fillStyle = isChosen ? colors.ink : colors.muted;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.fillText(words, x, height - 5);
  };
  const chosen = places.find(isChosenSeen);
  if (chosen) paint(chosen, true);
  for (const place of places) if (place !== chosen) paint(place, false);
}

/// Whether enough of the chosen turn is on the screen to see it.
function isChosenSeen({ turn, to }) {
  return turn === record.chosen && to > SEEN_MIN;
}

/// The turn in words may have left the chart; then the words say so.
function chosenIsAway() {
  let away = "";
  if (record.chosen && !timeline.places.some(isChosenSeen)) away = isTurnShown(record.chosen) ? "turn_scrolled" : "turn_hidden";
  if (timeline.away === away) return;
  timeline.away = away;
  turnAbout();
}

function paintTurn({ turn, from, to }) {
  const { context, colors, height } = timeline;
  if (turn === record.chosen) {
    context.fillStyle = colors.chosen;
    context.fillRect(from - 1, 0, to - from - GAP + 5, height - FOOT);
    context.fillStyle = colors.ink;
    context.fillRect(from - 1, height - FOOT, to - from - GAP + 5, 2);
  }
  const wide = sleepWidth(turn.waited ?? 0);
  const y = laneTop("sleep");
  const tall = laneHeight();
  context.fillStyle = colors.sleep;
  context.beginPath();
  context.roundRect(from + 1, y + tall * 0.28, wide - 2, tall * 0.44, 3);
  context.fill();
  if (wide > 34) {
    context.font = `10px ${timeline.mono}`;
    context.fillStyle = colors.ink;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const words = duration(turn.waited, twoDigits);
    const half = context.measureText(words).width / 2;
    const middle = from + wide / 2;
    if (half < wide / 2 - 2 && middle - half > 0 && middle + half < timeline.width) context.fillText(words, middle, y + tall / 2 + 0.5);
  }
  paintSteps(turn, from + wide + STEP / 2);
}

/// The way of the loop through the lanes as a fine line, and a mark for every step.
function paintSteps(turn, x) {
  const { context, colors } = timeline;
  const tall = laneHeight();
  context.strokeStyle = colors.muted;
  context.globalAlpha = 0.45;
  context.beginPath();
  context.moveTo(x - STEP / 2, laneTop("sleep") + tall / 2);
  turn.steps.forEach((step, at) => context.lineTo(x + at * STEP + 2, laneTop(laneOf(step)) + tall / 2));
  context.lineTo(x + turn.steps.length * STEP + 2, laneTop("sleep") + tall / 2);
  context.stroke();
  context.globalAlpha = 1;
  turn.steps.forEach((step, at) => {
    const lane = laneOf(step);
    const isNow = turn === record.chosen && step === record.step;
    paintMark(outcomeOf(step), colors[lane], x + at * STEP + 2, laneTop(lane), tall, isNow);
  });
}

function paintMark(outcome, color, x, y, tall, isNow) {
  const { context, colors } = timeline;
  const half = tall * (isNow ? 0.46 : 0.3);
  const middle = y + tall / 2;
  context.fillStyle = color;
  context.strokeStyle = color;
  context.lineWidth = 1.2;
  if (outcome === "done") {
    context.fillRect(x - 1.6, middle - half, 3.2, half * 2);
  } else if (outcome === "block") {
    context.clearRect(x - 1.4, middle - half, 2.8, half * 2);
    context.strokeRect(x - 1.4, middle - half, 2.8, half * 2);
  } else if (outcome === "end") {
    context.beginPath();
    context.arc(x, middle, 3.2, 0, 2 * Math.PI);
    context.fill();
  } else {
    context.strokeStyle = colors.bad;
    context.lineWidth = 1.8;
    context.beginPath();
    context.moveTo(x - 3, middle - 4);
    context.lineTo(x + 3, middle + 4);
    context.moveTo(x + 3, middle - 4);
    context.lineTo(x - 3, middle + 4);
    context.stroke();
  }
}
