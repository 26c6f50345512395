// What the demo pages share: calls, and how a refusal is shown.

export const api = document.documentElement.dataset.api;
export const byId = (id) => document.getElementById(id);

/** Calls and gives { ok, status, body }; a call without an answer looks like a refusal. */
export async function call(url, { method = "GET", body, headers = {} } = {}) {
  const request = { method, headers: { ...headers } };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  try {
    const reply = await fetch(url, request);
    const answer = await reply.json().catch(() => ({}));
    return { ok: reply.ok, status: reply.status, body: answer };
  } catch {
    return { ok: false, status: 0, body: { detail: "The server could not be reached. Try again." } };
  }
}

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

const WORDS = {
  invalid_or_expired: "This is not valid, or not any more. Check it, or ask for a new invitation.",
  invitation_expired: "This invitation has expired. Ask for a new one.",
  invitation_accepted: "This invitation was used already: your password is set, and you can sign in.",
  invitation_revoked: "This invitation was withdrawn. Ask whoever invited you.",
  invitation_superseded: "A newer invitation was sent to you. Use the link in the latest message.",
  invitation_failed: "This invitation cannot be completed. Ask for a new one.",
  invitation_not_ready: "Your account is still being prepared. Load this page again in a moment.",
  account_disabled: "Your account is locked for another reason. Ask your administrator.",
  grant_invalid: "This page was open for too long, or is open elsewhere. Open the link in the message again.",
  accept_in_progress: "Your password is being set right now. Wait a moment, then try again.",
  password_rejected: "Choose another password:",
  directory_unavailable: "Your password could not be saved just now. Nothing is lost: try again in a moment.",
};

const REASONS = {
  too_short: "It is too short.",
  too_long: "It is too long.",
  too_common: "It is one of the passwords that are guessed first.",
  equals_username: "It is your user name.",
  equals_address: "It is your e-mail address or phone number.",
  equals_code: "It is the code that was sent to you.",
  unusable_character: "It contains a character that cannot be used.",
  password_reused: "It was used before.",
  directory_policy: "The directory does not allow it.",
};

const reasonText = (reason) => {
  const { code, detail } = typeof reason === "string" ? { code: reason } : reason;
  return detail || REASONS[code] || code;
};

/** Shows what a problem document (RFC 9457) says, in words for a person, with its code. */
export function showProblem(place, { body = {}, status }) {
  const words = WORDS[body.code] || body.detail || body.title || `The answer was ${status}.`;
  place.className = "note bad";
  place.replaceChildren(element("p", words));
  const lines = [
    ...(body.reasons || []).map(reasonText),
    // The first error is often the whole story, told above already.
    ...(body.errors || []).map(({ pointer, code, detail }) => [pointer, detail === words ? "" : detail || code].join(" ").trim()),
  ];
  if (lines.length) {
    const list = element("ul");
    list.append(...lines.map((line) => element("li", line)));
    place.append(list);
  }
  if (body.retryAfter) place.append(element("p", `Try again in ${body.retryAfter} s.`));
  if (body.code) place.append(element("p", body.code, "mono small"));
}

export function showNote(place, kind, ...content) {
  place.className = `note ${kind}`;
  place.replaceChildren(...content);
}

/** Runs `work` when the form is sent, once at a time. */
export function onSubmit(form, work) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

// The token waits here, for this tab only, so that it is neither in the address bar nor lost by a reload.
const TOKEN = "invited-token";
export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);
export const keptToken = () => sessionStorage.getItem(TOKEN);
export const dropToken = () => sessionStorage.removeItem(TOKEN);
