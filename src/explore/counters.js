// Counters and the length of a turn over the last minute, one small chart each. Lines differ by their
// dashes, not by colour alone; the newest figures stand beside their names.

const SPAN_NS = 60e9;
const HEIGHT = 64;
const WIDTH = 240;

const RATE_TICKS = 5;

/// A mean over the ticks of one second, so that the line can be read.
function mean(key, times) {
  return (_, at, ticks) => {
    const last = ticks.slice(Math.max(0, at - RATE_TICKS + 1), at + 1);
    const span = last.reduce((sum, tick) => sum + tick.span, 0);
    return (times * last.reduce((sum, tick) => sum + tick[key], 0)) / span;
  };
}

const rate = (key) => mean(key, 1e9);
const latency = (key) => (tick) => tick.turn_ns?.[key] ?? null;
const eachSecond = (value) => say("each_second", { n: brief(value) });

const CHARTS = [
  { name: "turns", format: eachSecond, series: [["turns", rate("turns")], ["events", rate("events")]] },
  { name: "asleep", format: (value) => `${short(Math.round(value * 10) / 10)} %`, most: 100, series: [["asleep", mean("asleep", 100)]] },
  { name: "latency", format: duration, log: 1000, series: [["p50", latency("p50")], ["p99", latency("p99")], ["max", latency("max")]] },
  { name: "bytes", binary: true, format: (value) => say("each_second", { n: bytes(Math.round(value)) }), series: [["in", rate("bytes_in")], ["out", rate("bytes_out")]] },
  { name: "calls", format: eachSecond, series: [["reads", rate("reads")], ["writes", rate("writes")], ["block", rate("would_block")]] },
  { name: "moves", format: eachSecond, series: [["opened", rate("opened")], ["closed", rate("closed")], ["pauses", rate("accept_pauses")]] },
];

const counters = { ticks: [], charts: [] };

function countersWords() {
  counters.charts = CHARTS.map(chartMake);
  document.getElementById("charts").replaceChildren(...counters.charts.map((chart) => chart.figure));
  countersShow();
}

function chartMake(plan) {
  const figure = element("figure", { className: "chart" });
  const legend = element("ul");
  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  drawing.append(shape("path", { class: "grid", d: `M0 ${HEIGHT - 0.5}H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 0.5H${WIDTH}` }));
  const lines = plan.series.map(([name, value], at) => {
    const path = shape("path", { class: `line line-${at}` });
    const key = shape("svg", { viewBox: "0 0 20 4", class: "key", "aria-hidden": "true" });
    key.append(shape("path", { class: `line line-${at}`, d: "M0 2H20" }));
    const figureNow = element("strong");
    legend.append(element("li", {}, key, ` ${say(`s_${name}`)} `, figureNow));
    drawing.append(path);
    return { path, figureNow, value };
  });
  const most = element("span", { className: "most" });
  const axis = element("p", { className: "axis" }, element("span", {}, say("ago")), element("span", {}, say("now")));
  axis.setAttribute("aria-hidden", "true");
  figure.append(element("figcaption", {}, say(`c_${plan.name}`)), legend, element("div", { className: "plot" }, drawing, most), axis);
  return { plan, figure, lines, most };
}

function countersTold(tick) {
  const { ticks } = counters;
  if (ticks.length > 0 && tick.t <= ticks.at(-1).t) ticks.length = 0;
  ticks.push(tick);
  while (ticks[0].t < tick.t - SPAN_NS) ticks.shift();
}

/// The next of 1, 2, 5, 10, 20, 50 … that is not below.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((times) => times * power).find((round) => round >= value * 0.9999);
}

function chartTop(plan, highest) {
  if (plan.most) return plan.most;
  if (plan.log) return Math.max(plan.log * 10, 10 ** Math.ceil(Math.log10(highest)));
  return plan.binary ? Math.max(1024, 2 ** Math.ceil(Math.log2(highest))) : roundUp(highest);
}

function countersShow() {
  if (counters.ticks.length === 0) return;
  counters.charts.forEach(chartShow);
}

function chartShow({ plan, lines, most }) {
  const { ticks } = counters;
  const values = lines.map(({ value }) => ticks.map(value));
  const highest = Math.max(0, ...values.flat().filter((value) => value !== null && Number.isFinite(value)));
  const top = chartTop(plan, Math.max(highest, 1));
  const height = (value) => {
    const share = plan.log ? Math.log10(Math.max(value, plan.log) / plan.log) / Math.log10(top / plan.log) : value / top;
    return HEIGHT - 1.5 - share * (HEIGHT - 4);
  };
  const newest = ticks.at(-1).t;
  lines.forEach(({ path, figureNow }, at) => {
    let isDown = false;
    let way = "";
    ticks.forEach((tick, place) => {
      const value = values[at][place];
      if (value !== null) {
        const x = WIDTH - ((newest - tick.t) / SPAN_NS) * WIDTH;
        way += `${isDown ? "L" : "M"}${x.toFixed(1)} ${height(value).toFixed(1)}`;
      }
      isDown = value !== null;
    });
    path.setAttribute("d", way || "M0 0");
    const last = values[at].at(-1);
    put(figureNow, last === null ? say("none") : plan.format(last));
  });
  put(most, plan.format(top));
}

/// The dial beside the timeline: how much of the time the loop sleeps.
function dialStart() {
  const ring = { cx: 60, cy: 60, r: 46, pathLength: 100 };
  document.getElementById("dial").append(
    shape("circle", { ...ring, class: "busy" }),
    shape("circle", { ...ring, class: "asleep", "stroke-dasharray": "0 100", transform: "rotate(-90 60 60)" }),
  );
}

function dialShow(tick) {
  const share = Math.min(100, (100 * tick.asleep) / tick.span);
  document.querySelector("#dial .asleep").setAttribute("stroke-dasharray", `${share} 100`);
  const digits = share > 99 && share < 100 ? 2 : 1;
  put(document.getElementById("dial-share"), `${number(share, digits)} %`);
  put(document.getElementById("dial-work"), `${number(100 - share, digits)} %`);
  put(document.getElementById("dial-turns"), say("turns_each_second", { n: brief(Math.round(tick.turns / (tick.span / 1e9))) }));
}
