// Opens pages in Chromium and prints what it saw, as JSON: `drive.mjs CHROMIUM AXE PAGE...`. Speaks Chromium's own
// protocol over a pipe and needs nothing that Node.js does not have. What is right is decided by who started it. Chromium
// ends with the pipe, and leaves its profile in the working folder.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [chromium, axe, ...pages] = process.argv.slice(2);
const browser = spawn(
  chromium,
  // Without its sandbox, which root cannot have; what is opened is made by the test itself.
  ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", `--user-data-dir=${resolve("profile")}`,
   "--host-resolver-rules=MAP * ~NOTFOUND", "about:blank"],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);
const [, , , to, from] = browser.stdio;

const answers = new Map();
let listener = () => {};
let last = 0;
let rest = Buffer.alloc(0);
from.on("data", (data) => {
  rest = Buffer.concat([rest, data]);
  for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
    const message = JSON.parse(rest.subarray(0, end));
    rest = rest.subarray(end + 1);
    if (message.id) answers.get(message.id)(message);
    else listener(message);
  }
});
browser.on("exit", (code) => {
  console.error(`Chromium ended: ${code}`);
  process.exit(1);
});

function send(method, params = {}, sessionId) {
  return new Promise((done, fail) => {
    const id = ++last;
    answers.set(id, ({ result, error }) => (error ? fail(new Error(`${method}: ${error.message}`)) : done(result)));
    to.write(JSON.stringify({ id, method, params, sessionId }) + "\0");
  });
}

async function open(page) {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const tell = (method, params) => send(method, params, sessionId);
  const saw = { said: [], asked: [] };
  let loaded = () => {};
  const url = pathToFileURL(page).href;
  listener = ({ method, params }) => {
    switch (method) {
      case "Log.entryAdded": saw.said.push(params.entry.text); break;
      case "Runtime.consoleAPICalled": saw.said.push(params.args.map(({ value }) => value).join(" ")); break;
      case "Runtime.exceptionThrown": saw.said.push(JSON.stringify(params.exceptionDetails)); break;
      case "Page.javascriptDialogOpening":
        saw.said.push(`dialog: ${params.message}`);
        tell("Page.handleJavaScriptDialog", { accept: true });
        break;
      case "Network.requestWillBeSent": if (params.request.url.split("#")[0] !== url) saw.asked.push(params.request.url); break;
      case "Page.loadEventFired": loaded(); break;
    }
  };
  for (const domain of ["Page", "Log", "Runtime", "Network"]) await tell(`${domain}.enable`);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await tell("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  };
  const load = async (width, scheme, scripts = true) => {
    await tell("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
    await tell("Emulation.setEmulatedMedia", { media: "", features: [{ name: "prefers-color-scheme", value: scheme }] });
    await tell("Emulation.setScriptExecutionDisabled", { value: !scripts });
    const load = new Promise((done) => { loaded = done; });
    await tell("Page.navigate", { url });
    await load;
  };
  const key = async (key, code, text) => {
    const event = { key, code: key, windowsVirtualKeyCode: code, text };
    await tell("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await tell("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  };
  return { saw, tell, evaluate, load, key, close: () => send("Target.closeTarget", { targetId }) };
}

const rows = `[...document.querySelectorAll("#blocking tbody tr")].filter((row) => row.checkVisibility())`;
const state = `(() => {
  const rows = ${rows};
  return {
    rows: rows.length,
    first: rows[0]?.querySelector(".title").textContent ?? null,
    says: document.getElementById("shown").textContent,
    sorted: [...document.querySelectorAll("#blocking th[aria-sort]")].map((head) => head.textContent + " " + head.ariaSort),
  };
})()`;

/// What becomes of the findings under a person's hands, on the keyboard alone.
async function hands({ tell, evaluate, key }) {
  const focus = (selector) => evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
  const steps = { begin: await evaluate(state) };
  await focus("#search");
  await tell("Input.insertText", { text: "card data" });
  steps.search = await evaluate(state);
  await focus("#clear");
  await key("Enter", 13, "\r");
  steps.clear = await evaluate(state);
  const choose = (id, value) => evaluate(`(() => {
    const select = document.getElementById("${id}");
    select.value = "=${value}";
    select.dispatchEvent(new Event("change"));
  })()`);
  await choose("by-severity", "critical");
  steps.severity = await evaluate(state);
  await choose("by-owner", "platform");
  steps.owner = await evaluate(state);
  await choose("by-cause", "provider blocker");
  steps.cause = await evaluate(state);
  await focus("#clear");
  await key("Enter", 13, "\r");
  await focus("#blocking th:nth-child(6) button");
  await key("Enter", 13, "\r");
  steps.due = await evaluate(state);
  await key("Enter", 13, "\r");
  steps.late = await evaluate(state);
  return steps;
}

const axes = readFileSync(axe, "utf8");
const seen = [];
for (const page of pages) {
  const tab = await open(page);
  const { saw, tell, evaluate, load, key } = tab;

  await load(1280, "light", false);
  saw.without = await evaluate(`({
    rows: ${rows}.length,
    tools: ["tools", "copy", "more"].filter((id) => document.getElementById(id)?.checkVisibility()),
  })`);
  // What is said of each row is said of a thousand.
  const large = saw.without.rows > 1000;

  saw.axe = {};
  saw.sideways = {};
  for (const [name, width, scheme] of [["narrow", 320, "light"], ["dark", 1280, "dark"], ["light", 1280, "light"]]) {
    if (large && name !== "light") continue;
    await load(width, scheme);
    saw.sideways[name] = await evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth");
    if (large) continue;
    // Every part is looked at as it is when it is open.
    await evaluate("document.querySelectorAll('details').forEach((folded) => { folded.open = true; })");
    await evaluate(axes);
    const rules = name === "dark" ? ["color-contrast"] : null;
    saw.axe[name] = await evaluate(`axe.run({ resultTypes: ["violations"], runOnly: ${JSON.stringify(rules)} ?? undefined })
      .then(({ violations }) => violations.map(({ id, nodes }) =>
        id + ": " + nodes.map(({ target, failureSummary }) => target + " " + failureSummary).join("; ")))`);
  }

  await load(1280, "light");
  saw.title = await evaluate("document.title");
  await key("Tab", 9);
  saw.tab = await evaluate(`(() => {
    const style = getComputedStyle(document.activeElement);
    return [document.activeElement.textContent, style.outlineStyle, document.activeElement.getBoundingClientRect().left >= 0];
  })()`);
  await key("Enter", 13, "\r");
  saw.skipped = await evaluate("document.activeElement.id");
  if (await evaluate("document.querySelector('#blocking th button') !== null")) {
    saw.hands = large ? { begin: await evaluate(state) } : await hands(tab);
    await evaluate("document.getElementById('clear').click()");
    saw.took = await evaluate(`(() => {
      const search = document.getElementById("search");
      const from = performance.now();
      search.value = "1";
      search.dispatchEvent(new Event("input"));
      document.body.offsetHeight;
      return Math.round(performance.now() - from);
    })()`);
    await evaluate("document.getElementById('clear').click()");
  }
  saw.loaded = await evaluate("Math.round(performance.timing.loadEventEnd - performance.timing.navigationStart)");
  await tell("Emulation.setEmulatedMedia", { media: "print" });
  saw.printed = large ? null : await evaluate(`({
    controls: [...document.querySelectorAll("button, input, select, nav")].filter((one) => one.checkVisibility()).length,
    hidden: [...document.querySelectorAll("dl, pre")].filter((one) => !one.checkVisibility({ contentVisibilityAuto: true })).length,
  })`);
  await tab.close();
  seen.push(saw);
}
browser.removeAllListeners("exit");
browser.on("exit", () => process.exit(0));
console.log(JSON.stringify(seen));
await send("Browser.close");
