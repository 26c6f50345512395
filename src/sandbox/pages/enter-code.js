import { api, byId, call, keepToken, onSubmit, showProblem } from "./common.js";

let attempt = {};

/** One key for as long as the same is typed, so that a lost answer is given again instead of costing the code. */
function keyOf(typed) {
  const text = JSON.stringify(typed);
  if (attempt.text !== text) attempt = { text, key: crypto.randomUUID() };
  return attempt.key;
}

onSubmit(byId("code-form"), async () => {
  const typed = { username: byId("username").value.trim(), realm: byId("realm").value, otp: byId("otp").value.trim() };
  byId("otp").removeAttribute("aria-invalid");
  const headers = { "Idempotency-Key": keyOf(typed) };
  const reply = await call(`${api}/v1/redemptions`, { method: "POST", headers, body: typed });
  if (!reply.ok) {
    showProblem(byId("problem"), reply);
    byId("otp").setAttribute("aria-invalid", "true");
    byId("otp").select();
    return;
  }
  // The grant stands in for a link's token, and the same page takes over.
  keepToken(reply.body.grant);
  location.assign("/set-password");
});
byId("username").focus();
