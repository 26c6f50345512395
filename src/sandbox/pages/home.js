import { byId, call, element, onSubmit, showNote, showProblem } from "./common.js";

const POLL_MS = 1500;
let issuedId;

const inWords = (time) => time.replace("T", " ").replace(/\.\d+Z/, " UTC");

function personOf(value) {
  const [realm, username] = value.split("/");
  return { realm, username };
}

function showPeople(people) {
  const select = byId("person");
  if (!select.options.length) {
    select.append(...people.map(({ realm, username, displayName }) => new Option(`${displayName} (${realm})`, `${realm}/${username}`)));
  }
  byId("people").replaceChildren(
    ...people.map((person) => {
      const row = element("tr");
      const who = element("td", person.username);
      who.append(...[person.email, person.phone].filter(Boolean).map((address) => element("div", address, "soft small")));
      const state = element("td");
      state.append(person.active ? element("span", "active", "tag good") : element("span", "locked", "tag bad"));
      row.append(who, element("td", person.realm, "small nowrap"), state);
      return row;
    }),
  );
}

function showInvitation(invitation) {
  const { status, delivery = {}, user, account, warnings = [] } = invitation;
  const kind = { accepted: "good", pending: "good", failed: "bad", expired: "bad", revoked: "bad" }[status] || "warn";
  const line = element("p", `Invitation of ${user?.username}: `);
  line.append(element("strong", status));
  const facts = [
    delivery.channel && `message ${delivery.status}${delivery.error ? ` (${delivery.error.code || delivery.error})` : ""}`,
    account && (account.locked ? "account locked until the password is set" : "account unlocked"),
    invitation.expiresAt ? `expires ${inWords(invitation.expiresAt)}` : "never expires",
  ].filter(Boolean);
  const content = [line, element("p", facts.join(" · "), "small"), element("p", invitation.id, "mono small")];
  content.push(...warnings.map((warning) => element("p", `Note: ${warning.detail || warning.code || warning}`, "small")));
  const text = content.map((part) => part.textContent).join("|");
  if (byId("issued").dataset.shown !== text) {
    byId("issued").dataset.shown = text;
    showNote(byId("issued"), kind, ...content);
  }
}

function showSwitches({ faults, clock }) {
  for (const [name, value] of Object.entries(faults)) {
    const select = byId(`fault-${name}`);
    if (document.activeElement !== select) select.value = value;
  }
  byId("now").textContent = inWords(clock.now);
  byId("ahead").hidden = clock.minutesAhead === 0;
  byId("ahead").textContent = `${clock.minutesAhead} min ahead`;
}

/** Changes a switch and shows the panel as it is then. */
async function control(path, body) {
  const reply = await call(`/control/${path}`, { method: "POST", body });
  if (!reply.ok) return showProblem(byId("panel-problem"), reply);
  showSwitches(reply.body);
  return refresh();
}

async function refresh() {
  const [people, switches, invitation] = await Promise.all([
    call("/demo/people"),
    call("/control"),
    issuedId ? call(`/demo/invitations/${issuedId}`) : undefined,
  ]);
  if (switches.ok) showSwitches(switches.body);
  if (people.ok) {
    showPeople(people.body);
    byId("panel-problem").replaceChildren();
  } else {
    showProblem(byId("panel-problem"), people);
  }
  if (invitation?.ok) showInvitation(invitation.body);
}

async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, POLL_MS);
}

onSubmit(byId("issue"), async () => {
  const expiry = byId("expiry").value;
  const body = {
    ...personOf(byId("person").value),
    method: byId("method").value,
    purpose: byId("purpose").value,
    ...(expiry && { expiresInMinutes: Number(expiry) }),
  };
  const reply = await call("/demo/invitations", { method: "POST", body });
  issuedId = reply.ok ? reply.body.id : undefined;
  byId("issued").dataset.shown = "";
  if (reply.ok) showInvitation(reply.body);
  else showProblem(byId("issued"), reply);
});

byId("faults").addEventListener("change", ({ target }) => control("faults", { [target.name]: target.value }));
byId("clock").addEventListener("click", ({ target }) => {
  if (target.dataset.minutes) control("clock", { advanceMinutes: Number(target.dataset.minutes) });
});
poll();
