import { api, byId, call, dropToken, element, keepToken, keptToken, onSubmit, showNote, showProblem } from "./common.js";

let grant;

/** The token of the link, taken out of the address bar; or the one that this tab has kept. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname);
    keepToken(token);
  }
  return token || keptToken();
}

function policyText(policy) {
  if (!policy) return "";
  const { minLength, maxLength } = policy;
  return `${minLength} to ${maxLength} characters of any kind. A few words that nobody would guess are best.`;
}

function showForm({ user, invitation, passwordPolicy }) {
  const name = user.displayName || user.username;
  const reset = invitation?.purpose === "password_reset";
  byId("title").textContent = reset ? "Choose a new password" : `Welcome, ${name}`;
  byId("who").replaceChildren("Set the password of the account ", element("strong", user.username), ` (${user.realm}).`);
  byId("policy").textContent = policyText(passwordPolicy);
  byId("username").value = user.username;
  byId("password-form").hidden = false;
  byId("password").focus();
}

function fail(reply) {
  byId("who").hidden = true;
  showProblem(byId("problem"), reply);
}

/** Redeems the token; that uses nothing up, so it may happen on every visit. */
async function open() {
  const token = takeToken();
  if (!token) {
    byId("who").textContent = "Open this page with the link in your message.";
    return;
  }
  const reply = await call(`${api}/v1/redemptions`, { method: "POST", body: { token } });
  if (!reply.ok) return fail(reply);
  grant = reply.body.grant;
  showForm(reply.body);
}

function showDone({ redirectUrl }) {
  dropToken();
  grant = undefined;
  byId("password-form").remove();
  byId("problem").replaceChildren();
  byId("title").textContent = "Your password is set";
  byId("who").hidden = true;
  const next = element("a", "Sign in", "button");
  next.href = /^https?:/.test(redirectUrl || "") ? redirectUrl : "/sign-in";
  const actions = element("p", "", "actions");
  actions.append(next);
  byId("done").append(element("p", "The account is ready to be used."), actions);
  next.focus();
}

function refuse(field, text) {
  field.setAttribute("aria-invalid", "true");
  if (text) showNote(byId("problem"), "bad", element("p", text));
  field.focus();
}

onSubmit(byId("password-form"), async () => {
  const [password, repeated] = [byId("password"), byId("repeated")];
  [password, repeated].forEach((field) => field.removeAttribute("aria-invalid"));
  byId("problem").replaceChildren();
  if (password.value !== repeated.value) return refuse(repeated, "The two are not the same.");
  const reply = await call(`${api}/v1/redemptions/password`, {
    method: "POST",
    headers: { Authorization: `Bearer ${grant}` },
    body: { password: password.value },
  });
  if (reply.ok) return showDone(reply.body);
  showProblem(byId("problem"), reply);
  if (reply.status === 422) refuse(password);
});

byId("show").addEventListener("change", ({ target }) => {
  for (const id of ["password", "repeated"]) byId(id).type = target.checked ? "text" : "password";
});
// A second link opened in the same tab changes only the fragment.
addEventListener("hashchange", () => location.reload());
open();
