// The state machines as diagrams: how many connections are in each state, and which way they move.
// States and moves that were not announced are drawn as soon as they are seen.

const SVG = "http://www.w3.org/2000/svg";
const START = "•";
const GONE = "×";
const NODE_WIDTH = 84;
const NODE_HEIGHT = 44;
const NAME_MAX = 16;
const LIT_MS = 500;

/// Where the states of our protocols stand; others are laid out in rows.
const LAYOUTS = {
  hello: { greeted: [190, 34] },
  echo: { echoing: [125, 34], leaving: [255, 34] },
  chat: { lobby: [82, 84], speaking: [190, 30], listening: [190, 138], leaving: [298, 84] },
};
const MOVES = {
  hello: [[START, "greeted"], ["greeted", GONE]],
  echo: [[START, "echoing"], ["echoing", "leaving"], ["echoing", GONE], ["leaving", GONE]],
  chat: [
    [START, "lobby"], ["lobby", "speaking"], ["lobby", "listening"], ["speaking", "listening"], ["listening", "speaking"],
    ["speaking", "leaving"], ["listening", "leaving"], ["leaving", GONE],
  ],
};

const machines = { protocols: new Map() };

function shape(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/// The states that are known before anybody is in them: those of the services that are listened for.
function machinesKnown(meta) {
  const names = [...new Set(meta.services.map((service) => service.name))];
  return Object.fromEntries(names.map((name) => [name, meta.states?.[name] ?? Object.keys(LAYOUTS[name] ?? {})]));
}

/// Draws every machine anew: there are others now, or a state that was not known.
function machinesStart(states) {
  const drawn = new Map(machines.protocols);
  machines.protocols.clear();
  document.getElementById("diagrams").replaceChildren();
  const names = new Set([...Object.keys(states ?? {}), ...drawn.keys()].filter((name) => record.own || !isOwn(name)));
  for (const name of names) {
    const before = drawn.get(name);
    machineAdd(name, [...new Set([...(states?.[name] ?? []), ...(before?.states.keys() ?? [])])]);
    for (const [key, edge] of before?.edges ?? []) if (edge.seen > 0) machineEdge(machines.protocols.get(name), ...key.split(">")).seen = edge.seen;
  }
  machinesFill(peers.table?.states);
}

function machineAdd(name, states) {
  const layout = LAYOUTS[name] ?? {};
  const known = states.filter((state) => state in layout);
  const others = states.filter((state) => !(state in layout));
  const top = Math.max(0, ...known.map((state) => layout[state][1] + NODE_HEIGHT));
  const rows = Math.ceil(others.length / 3);
  const height = Math.max(78, ...known.map((state) => layout[state][1] + 30), rows > 0 ? top + rows * 66 + 4 : 0);
  const figure = element("figure", { className: "machine" });
  figure.dataset.protocol = name;
  const caption = element("figcaption");
  const drawing = shape("svg", { viewBox: `-4 0 390 ${height}`, "aria-hidden": "true" });
  drawing.append(arrowHeads(name));
  const layers = [shape("g"), shape("g")];
  drawing.append(...layers);
  const list = element("dl");
  figure.append(caption, drawing, list);
  document.getElementById("diagrams").append(figure);
  const machine = { name, caption, layers, list, states: new Map(), edges: new Map() };
  machines.protocols.set(name, machine);
  const middle = known.length > 0 ? layout[known[0]][1] : top + 36;
  const across = [...known.map((state) => layout[state][0]), ...others.map((_, at) => 92 + (at % 3) * 98)];
  const away = NODE_WIDTH / 2 + 34;
  machine.ends = { [START]: [Math.min(190, ...across) - away, middle], [GONE]: [Math.max(190, ...across) + away, middle] };
  layers[1].append(shape("circle", { cx: machine.ends[START][0], cy: middle, r: 5, class: "opened" }), endMark(...machine.ends[GONE]));
  known.forEach((state) => machineState(machine, state, layout[state]));
  others.forEach((state, at) => machineState(machine, state, [92 + (at % 3) * 98, top + 36 + Math.floor(at / 3) * 66]));
  for (const [from, to] of MOVES[name] ?? []) machineEdge(machine, from, to);
  return machine;
}

function arrowHeads(name) {
  const heads = shape("defs");
  for (const kind of ["plain", "lit"]) {
    const head = shape("marker", { id: `arrow-${kind}-${name}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, markerUnits: "userSpaceOnUse", orient: "auto" });
    head.append(shape("path", { d: "M0 0.5 L8 4 L0 7.5 z", class: `head ${kind}` }));
    heads.append(head);
  }
  return heads;
}

function endMark(x, y) {
  const mark = shape("g");
  mark.append(shape("circle", { cx: x, cy: y, r: 8, class: "ended" }), shape("circle", { cx: x, cy: y, r: 4, class: "opened" }));
  return mark;
}

function machineState(machine, name, [x, y]) {
  const node = shape("g", { class: "state" });
  const box = shape("rect", { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2, width: NODE_WIDTH, height: NODE_HEIGHT, rx: 9 });
  const count = shape("text", { x, y: y - 2, class: "count" }, "0");
  const label = shape("text", { x, y: y + 14, class: "name" }, name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name);
  if (name.length > 10) {
    label.setAttribute("textLength", NODE_WIDTH - 8);
    label.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
  node.append(box, count, label);
  machine.layers[1].append(node);
  const words = element("dd");
  machine.list.append(element("dt", {}, name), words);
  machine.states.set(name, { at: [x, y], node, count, words, number: 0 });
}

/// Where a line from the middle of a box towards a point leaves it.
function border([x, y], [toX, toY], isEnd) {
  const dx = toX - x;
  const dy = toY - y;
  if (isEnd) {
    const length = Math.hypot(dx, dy) || 1;
    return [x + (dx * 10) / length, y + (dy * 10) / length];
  }
  const scale = Math.min((NODE_WIDTH / 2 + 3) / Math.abs(dx || 1e-9), (NODE_HEIGHT / 2 + 3) / Math.abs(dy || 1e-9));
  return [x + dx * scale, y + dy * scale];
}

function machineEdge(machine, from, to) {
  const key = `${from}>${to}`;
  if (machine.edges.has(key)) return machine.edges.get(key);
  const start = machine.ends[from] ?? machine.states.get(from).at;
  const end = machine.ends[to] ?? machine.states.get(to).at;
  const [dx, dy] = [end[0] - start[0], end[1] - start[1]];
  const length = Math.hypot(dx, dy) || 1;
  // A straight way past another state would cross it, and two ways between two states each other.
  const isFar = Math.abs(dx) > 150;
  const isTwoWay = machine.edges.has(`${to}>${from}`) || Math.abs(dx) < 8;
  const outwards = from === START ? Math.sign(dy) * 48 : dy > 8 ? -34 : 48;
  const bend = isFar ? outwards : isTwoWay ? 18 : Math.abs(dy) < 8 ? 0 : 12;
  const bent = ([ax, ay], [bx, by]) => [(ax + bx) / 2 - (dy / length) * bend, (ay + by) / 2 + (dx / length) * bend];
  const a = border(start, bent(start, end), from in machine.ends);
  const b = border(end, bent(start, end), to in machine.ends);
  const path = shape("path", { d: `M${a.join(" ")} Q${bent(a, b).join(" ")} ${b.join(" ")}`, class: "move", "marker-end": `url(#arrow-plain-${machine.name})` });
  machine.layers[0].append(path);
  const edge = { path, seen: 0, timer: 0 };
  machine.edges.set(key, edge);
  return edge;
}

/// A connection has moved: the way lights up, and goes dark again by itself.
function machineMoved(protocol, from, to) {
  if (isOwn(protocol) && !record.own) return;
  const machine = machines.protocols.get(protocol) ?? machineAdd(protocol, []);
  for (const state of [from, to]) {
    if (!(state in machine.ends) && !machine.states.has(state)) return machineGrow(machine, state, from, to);
  }
  const edge = machineEdge(machine, from, to);
  edge.seen += 1;
  edge.path.classList.add("lit");
  edge.path.setAttribute("marker-end", `url(#arrow-lit-${machine.name})`);
  clearTimeout(edge.timer);
  edge.timer = setTimeout(() => {
    edge.path.classList.remove("lit");
    edge.path.setAttribute("marker-end", `url(#arrow-plain-${machine.name})`);
  }, LIT_MS);
}

/// A state that was not known: the machine is drawn anew with it.
function machineGrow(machine, state, from, to) {
  const states = Object.fromEntries([...machines.protocols].map(([name, one]) => [name, [...one.states.keys()]]));
  states[machine.name].push(state);
  machinesStart(states);
  machineMoved(machine.name, from, to);
}

/// The moves in one step of a turn.
function machineSees(entry) {
  const protocol = protocolOf(entry);
  if (!protocol) return;
  const machine = machines.protocols.get(protocol);
  const peer = entry.peer === undefined ? undefined : learn(entry.peer, {});
  if (entry.kind === "state") {
    machineMoved(protocol, entry.from, entry.to);
  } else if (entry.kind === "open") {
    const first = entry.state ?? MOVES[protocol]?.[0][1] ?? machine?.states.keys().next().value;
    if (first) machineMoved(protocol, START, first);
  } else if (entry.kind === "close" && peer?.state) {
    machineMoved(protocol, peer.state, GONE);
    record.peers.delete(entry.peer);
  }
}

function machinesCount(states) {
  for (const [protocol, counts] of Object.entries(states ?? {})) {
    if (isOwn(protocol) && !record.own) continue;
    const machine = machines.protocols.get(protocol);
    const strange = Object.keys(counts).find((state) => !machine?.states.has(state));
    if (strange === undefined) continue;
    const all = Object.fromEntries([...machines.protocols].map(([name, one]) => [name, [...one.states.keys()]]));
    all[protocol] = [...new Set([...(all[protocol] ?? []), ...Object.keys(counts)])];
    machinesStart(all);
  }
  machinesFill(states);
}

function machinesFill(states) {
  for (const [protocol, machine] of machines.protocols) {
    let sum = 0;
    for (const [name, state] of machine.states) {
      state.number = states?.[protocol]?.[name] ?? 0;
      sum += state.number;
      put(state.count, number(state.number));
      state.node.classList.toggle("empty", state.number === 0);
      const meaning = `state_${protocol}.${name}`;
      put(state.words, `${number(state.number)}${has(meaning) ? ` · ${say(meaning)}` : ""}`);
    }
    put(machine.caption, say("machine_counts", { p: protocol, n: number(sum) }));
  }
}
