// The buttons of "Try it": they ask the server to let its demo clients do something. What came of it
// is seen in the turn that follows, not here.

const ACTS = ["half-frame", "half-close", "reset", "stop-reading", "read-again", "flood", "close"];
const ENDING = new Set(["reset", "close"]);

const trying = { token: "", isOn: false, clients: new Map(), chosen: null, answer: null };

function tryStart() {
  trying.token = document.querySelector('meta[name="token"]').content;
  document.getElementById("try-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = document.getElementById("try-text").value.replaceAll("\\n", "\n").replaceAll("\\0", "\0");
    tryDo("send", { text });
  });
}

function tryWords(meta) {
  trying.isOn = trying.token !== "" && (meta === null || meta.try !== false);
  document.getElementById("try-panel").hidden = !trying.isOn || meta === null;
  document.getElementById("try-about").textContent = say(!trying.isOn ? "try_off" : meta === null ? "try_wait" : "try_about");
  document.getElementById("try-connect").replaceChildren(...servicesOf(meta).map((name) => {
    const button = element("button", { type: "button" }, name);
    button.setAttribute("aria-label", say("try_connect", { p: name }));
    button.dataset.connect = name;
    button.addEventListener("click", () => tryConnect(name));
    return button;
  }));
  document.getElementById("try-acts").replaceChildren(...ACTS.map((act) => {
    const button = element("button", { type: "button" }, say(`act_${act}`));
    button.dataset.act = act;
    button.title = say(`hint_${act}`);
    button.addEventListener("click", () => tryDo(act));
    return button;
  }));
  tryAnswer();
  tryClients();
}

function servicesOf(meta) {
  return [...new Set((meta?.services ?? []).map((service) => service.name))].filter((name) => !isOwn(name));
}

/// How to get somebody to look at.
function pressWords() {
  const names = servicesOf(page.meta);
  const name = names.includes("echo") ? "echo" : names[0];
  return trying.isOn && name !== undefined ? say("press", { p: name }) : say("press_off");
}

async function ask(body) {
  const response = await fetch("/try", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Epollo-Token": trying.token },
    body: JSON.stringify(body),
  }).catch(() => null);
  if (response === null) throw new Error(say("unreachable"));
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

/// The clients that are there when the page comes, or comes again.
function tryMeta(demos) {
  const present = new Set(demos.map((demo) => demo.client));
  for (const [id, client] of trying.clients) if (!present.has(id)) client.isGone = true;
  for (const { client, service, address } of demos) {
    if (!trying.clients.has(client)) trying.clients.set(client, { service, address, isGone: false });
    trying.chosen ??= client;
  }
}

async function tryConnect(service) {
  try {
    const answer = await ask({ do: "connect", to: service });
    trying.clients.set(answer.client, { service, address: answer.address ?? null, isGone: false });
    trying.chosen = answer.client;
    tryAnswer(() => say("hint_connect"));
    tryFollow();
  } catch (error) {
    tryAnswer(() => say("try_failed", { e: error.message }), true);
  }
  tryClients();
}

async function tryDo(act, more = {}) {
  const client = trying.chosen;
  try {
    tryFollow();
    await ask({ do: act, client, ...more });
    if (ENDING.has(act)) trying.clients.get(client).isGone = true;
    tryAnswer(() => `${act === "send" ? `${say("do_send", { n: client })} ` : ""}${say(`hint_${act}`)}`);
  } catch (error) {
    tryAnswer(() => say("try_failed", { e: error.message }), true);
  }
  tryClients();
}

/// The page follows the chosen client, as far as its address is known, and shows what comes of it.
function tryFollow() {
  setPaused(false);
  const client = trying.clients.get(trying.chosen);
  if (client?.address) setFilter(client.address);
}

function tryAnswer(words = trying.answer, isBad = false) {
  trying.answer = words;
  const line = document.getElementById("try-answer");
  line.textContent = words ? words() : "";
  line.classList.toggle("bad", isBad);
}

/// The list of clients, and which buttons make sense now.
function tryClients() {
  const place = document.getElementById("try-clients");
  const focused = document.activeElement?.name === "client";
  place.replaceChildren(...[...trying.clients].map(([id, client]) => {
    const input = element("input", { type: "radio", name: "client", value: String(id), checked: id === trying.chosen });
    input.addEventListener("change", () => {
      trying.chosen = id;
      tryFollow();
      tryClients();
    });
    const words = [say("try_client", { n: id, p: client.service }), client.address, client.isGone ? say("try_gone") : null];
    const label = element("label", { className: client.isGone ? "gone" : "" }, input, ` ${words.filter(Boolean).join(" · ")}`);
    return label;
  }));
  if (trying.clients.size === 0) place.textContent = say("try_none");
  const chosen = place.querySelector("input:checked");
  if (focused) chosen?.focus();
  else if (chosen) place.scrollTop = chosen.parentElement.offsetTop - place.offsetTop;
  const client = trying.clients.get(trying.chosen);
  const isOff = !client || client.isGone;
  for (const button of document.querySelectorAll("#try-acts button, #try-send")) button.disabled = isOff;
}

/// Connections that are gone from the server are gone here too; one whose address was not known when
/// it was asked for is the next of its protocol that opens.
function tryArrived(entries) {
  let isNew = false;
  for (const entry of entries) {
    if (entry.kind === "open" && entry.name !== undefined) {
      const waiting = [...trying.clients.values()].find((client) => client.address === null && client.service === entry.protocol);
      if (waiting) {
        waiting.address = entry.name;
        isNew = true;
        tryFollow();
      }
    }
    if (entry.kind !== "close" || isOwn(protocolOf(entry))) continue;
    for (const client of trying.clients.values()) {
      if (client.address !== null && client.address === entry.name && !client.isGone) client.isGone = isNew = true;
    }
  }
  // Only the last few that are gone are worth a line.
  const gone = [...trying.clients].filter(([, client]) => client.isGone);
  for (const [id] of gone.slice(0, -3)) if (id !== trying.chosen) trying.clients.delete(id);
  if (isNew) tryClients();
}
