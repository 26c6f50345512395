import { byId, call, element, onSubmit, showNote, showProblem } from "./common.js";

const REFUSALS = {
  rejected: "Wrong user name or password.",
  inactive: "The account is locked. Set your password with the invitation first, or ask an administrator.",
  unavailable: "Signing in is not possible just now. Try again in a moment.",
};

function showSignedIn(user) {
  byId("sign-in-form").remove();
  byId("problem").replaceChildren();
  byId("title").textContent = "Signed in";
  const line = element("p", "You are signed in as ");
  line.append(element("strong", user.displayName || user.userName), ". That is the whole job.");
  const actions = element("p", "", "actions");
  const home = element("a", "Back to the start", "button quiet");
  home.href = "/";
  actions.append(home);
  showNote(byId("outcome"), "good", line);
  byId("outcome").after(actions);
  home.focus();
}

onSubmit(byId("sign-in-form"), async () => {
  byId("problem").replaceChildren();
  const body = { username: byId("username").value.trim(), realm: byId("realm").value, password: byId("password").value };
  const reply = await call("/demo/sign-in", { method: "POST", body });
  if (!reply.ok) return showProblem(byId("problem"), reply);
  const { outcome, user, setupUrl } = reply.body;
  if (outcome === "signed_in") return showSignedIn(user);
  if (outcome === "password_setup_required" && new URL(setupUrl).origin === location.origin) {
    // It was a code: the service sends the person on to the page that sets the password.
    return location.assign(setupUrl);
  }
  showNote(byId("problem"), "bad", element("p", REFUSALS[outcome] || REFUSALS.unavailable));
  byId("password").select();
});
byId("username").focus();
