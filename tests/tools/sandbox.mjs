// Drives the sandbox through the whole job in a real browser, as a newcomer would click it.
//
// DEMO_URL, INBOX_URL   where it runs
// TEST_CHROMIUM         the browser's executable
// TEST_NODE_TOOLS       folder that has playwright-core; this one when not set
// SCREENSHOTS           folder for pictures; none when not set

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const { DEMO_URL, INBOX_URL, SCREENSHOTS, TEST_CHROMIUM, TEST_NODE_TOOLS } = process.env;
const require = createRequire(TEST_NODE_TOOLS ? join(TEST_NODE_TOOLS, "package.json") : import.meta.url);
const { chromium } = require("playwright-core");

const TIMEOUT_MS = 20_000;
const GOOD_PASSWORD = "four quiet garden lamps";
const ARGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Keeps a picture of the page as it is. */
async function picture(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();

/** Issues an invitation on the home page and waits until its message was taken by the gateway. */
async function issue(page, person, method, expiry = "the usual time") {
  const username = person.split("/").at(-1);
  await page.goto(DEMO_URL);
  await page.getByLabel("Person").selectOption(person);
  await page.getByLabel("Sent as").selectOption({ label: method });
  await page.getByLabel("Good for").selectOption({ label: expiry });
  await page.getByRole("button", { name: "Send invitation" }).click();
  const issued = page.locator("#issued");
  await issued.getByText(`Invitation of ${username}`).waitFor();
  await issued.getByText(/message (sent|delivered)/).waitFor();
  await page.locator("#people tr", { hasText: `${username}@` }).getByText("locked").waitFor();
}

/** The newest invitation of `username` in the inbox; what else is sent to them may come later. */
async function invitationIn(inbox, username) {
  await inbox.goto(INBOX_URL);
  const found = inbox.locator(`article[data-to="${username}@example.com"][data-kind^="invitation"]`).first();
  await found.waitFor();
  return found;
}

/** The page that the message's link opens in a new tab. */
async function openLink(context, mail) {
  const opened = context.waitForEvent("page");
  await mail.getByRole("link", { name: "Open the link" }).click();
  return opened;
}

async function typePassword(page, password, repeated = password) {
  await page.getByLabel("New password").fill(password);
  await page.getByLabel("The same again").fill(repeated);
  await page.getByRole("button", { name: "Set password" }).click();
}

async function signIn(page, username, password) {
  await page.getByLabel("User name").fill(username);
  await page.getByLabel("Password, or the code").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function byLink(context) {
  const home = await context.newPage();
  await issue(home, "PRIMARY/alex", "Link by e-mail");
  await picture(home, "sandbox-home");

  const inbox = await context.newPage();
  const mail = await invitationIn(inbox, "alex");
  await mail.locator("summary").click();
  await mail.frameLocator("iframe").getByRole("link").first().waitFor();
  await picture(inbox, "sandbox-inbox");

  const page = await openLink(context, mail);
  await heading(page, "Welcome, Alex");
  assert.equal(page.url(), `${DEMO_URL}/set-password`, "the token has left the address bar");
  await picture(page, "sandbox-set-password");

  const problem = page.getByRole("alert");
  await typePassword(page, GOOD_PASSWORD, "something else");
  await problem.getByText("not the same").waitFor();
  await typePassword(page, "short");
  await problem.getByText("too short").waitFor();
  await typePassword(page, "my name is alex!");
  await problem.getByText("must not contain the user name").waitFor();
  await picture(page, "sandbox-refused");

  await page.reload();
  await heading(page, "Welcome, Alex");
  await typePassword(page, GOOD_PASSWORD);
  await heading(page, "Your password is set");
  await page.getByRole("link", { name: "Sign in" }).click();
  await signIn(page, "alex", "not the password");
  await page.getByRole("alert").getByText("Wrong user name or password").waitFor();
  await signIn(page, "alex", GOOD_PASSWORD);
  await heading(page, "Signed in");
  await page.getByText("You are signed in as Alex").waitFor();
  await picture(page, "sandbox-signed-in");

  await page.goto(await mail.getByRole("link", { name: "Open the link" }).getAttribute("href"));
  await page.getByRole("alert").getByText("used already").waitFor();
}

/** Way 2: the code typed into the login in place of the password. */
async function byCodeAtLogin(context) {
  const page = await context.newPage();
  await issue(page, "PRIMARY/sam", "Code by e-mail");
  const inbox = await context.newPage();
  const text = await (await invitationIn(inbox, "sam")).locator("pre").innerText();
  const code = text.match(/^[A-Za-z0-9]{6}$/m)?.[0];
  assert.ok(code, "the message shows the code on a line of its own");

  await page.goto(`${DEMO_URL}/sign-in`);
  await signIn(page, "sam", code);
  await heading(page, "Welcome, Sam");
  await typePassword(page, GOOD_PASSWORD);
  await heading(page, "Your password is set");
  await page.getByRole("link", { name: "Sign in" }).click();
  await signIn(page, "sam", GOOD_PASSWORD);
  await page.getByText("You are signed in as Sam").waitFor();
}

/** Way 1: the code typed into the page that the message names. */
async function byCodeOnPage(context) {
  const page = await context.newPage();
  await issue(page, "PRIMARY/kim", "Code by e-mail");
  const inbox = await context.newPage();
  const text = await (await invitationIn(inbox, "kim")).locator("pre").innerText();

  await page.goto(`${DEMO_URL}/enter-code`);
  await page.getByLabel("User name").fill("kim");
  await page.getByLabel("Code").fill("wrong1");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByRole("alert").getByText("not valid, or not any more").waitFor();
  await picture(page, "sandbox-enter-code");
  await page.getByLabel("Code").fill(text.match(/^[A-Za-z0-9]{6}$/m)[0]);
  await page.getByRole("button", { name: "Go on" }).click();
  await heading(page, "Welcome, Kim");
  await typePassword(page, GOOD_PASSWORD);
  await heading(page, "Your password is set");
}

/** The switches of the panel: a directory that is down, and a clock that makes an invitation expire. */
async function switches(context) {
  const page = await context.newPage();
  await issue(page, "SECONDARY/robin", "Link by e-mail", "15 minutes");
  await page.getByLabel("Directory", { exact: true }).selectOption("down");
  await page.getByRole("alert").getByText("directory did not answer").waitFor();
  await page.getByLabel("Directory", { exact: true }).selectOption("ok");
  await page.getByRole("button", { name: "+1 hour" }).click();
  await page.getByText("60 min ahead").waitFor();
  await page.locator("#issued").getByText("Invitation of robin: expired").waitFor();
  const late = await openLink(context, await invitationIn(await context.newPage(), "robin"));
  await late.getByRole("alert").getByText("has expired").waitFor();
}

const browser = await chromium.launch({ executablePath: TEST_CHROMIUM, args: ARGS });
try {
  const complaints = [];
  for (const job of [byLink, byCodeAtLogin, byCodeOnPage, switches]) {
    const context = await browser.newContext({ viewport: { width: 1080, height: 680 } });
    context.setDefaultTimeout(TIMEOUT_MS);
    // A page that breaks its own policy, or a script that fails, is a failure even when the job goes on.
    context.on("weberror", (error) => complaints.push(String(error.error())));
    context.on("console", (line) => /Content Security Policy|CORS/.test(line.text()) && complaints.push(line.text()));
    await job(context);
    await context.close();
    console.log(`${job.name}: done`);
  }
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
