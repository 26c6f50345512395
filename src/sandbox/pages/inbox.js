// Asks for messages again and again, and adds those not yet shown; what is open or being read stays as it is.

const POLL_MS = 1000;
const SHOWN_MAX = 100;
const shown = new Set();

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** The text with its links made clickable, everything else as it is. */
function linked(text) {
  const place = element("pre");
  for (const part of text.split(/(https?:\/\/[^\s<>"]+)/)) {
    place.append(/^https?:\/\//.test(part) ? link(part, part) : part);
  }
  return place;
}

function link(text, url, className) {
  const made = element("a", text, className);
  made.href = url;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

function envelope(message) {
  const list = element("dl");
  const rows = { To: [message.toName, message.to].filter(Boolean).join(" · "), From: message.from, "Reply to": message.replyTo, Kind: message.kind };
  for (const [name, value] of Object.entries(rows)) {
    if (value) list.append(element("dt", name), element("dd", value));
  }
  return list;
}

function htmlView(message) {
  const details = element("details");
  const frame = element("iframe");
  frame.title = `HTML of ${message.subject}`;
  frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
  // Loaded when it is opened: a message may be one of many.
  details.addEventListener("toggle", () => (frame.src ||= `/messages/${encodeURIComponent(message.id)}/html`), { once: true });
  details.append(element("summary", "As HTML"), frame);
  return details;
}

function card(message) {
  const made = element("article", "", "card message");
  made.dataset.to = message.to;
  made.dataset.kind = message.kind || "";
  const header = element("header");
  const time = element("time", message.receivedAt.replace("T", " ").replace(/\.\d+Z/, " UTC"), "soft small");
  time.dateTime = message.receivedAt;
  const channel = message.channel === "sms" ? "SMS" : "E-mail";
  header.append(element("span", channel, "tag"), element("h2", message.subject || "Text message"), time);
  made.append(header, envelope(message), linked(message.text));
  const url = message.text.match(/https?:\/\/[^\s<>"]+/)?.[0];
  if (url) {
    const actions = element("div", "", "actions");
    actions.append(link("Open the link", url, "button"));
    made.append(actions);
  }
  if (message.html) made.append(htmlView(message));
  return made;
}

async function refresh() {
  const reply = await fetch(`/messages?limit=${SHOWN_MAX}`);
  const fresh = (await reply.json()).filter((message) => !shown.has(message.id));
  if (!fresh.length) return;
  fresh.forEach((message) => shown.add(message.id));
  const place = document.getElementById("messages");
  place.prepend(...fresh.map(card));
  while (place.children.length > SHOWN_MAX) place.lastElementChild.remove();
  document.getElementById("empty").hidden = true;
  document.getElementById("count").textContent = shown.size === 1 ? "1 message" : `${shown.size} messages`;
}

async function poll() {
  // A sandbox that has ended, or has not begun, is asked again.
  await refresh().catch(() => {});
  setTimeout(poll, POLL_MS);
}
poll();
