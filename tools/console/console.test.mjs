// Drives the console of a real noecho in Chromium. Run it with `make console`.
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Boot, day } from "./alerts.mjs";
import { browser, browserPath, build, dir, end, freePort, here, listening, patience, root, start, until } from "./noecho.mjs";

const pages = ["overview", "findings", "records", "callers", "lookup", "whatif", "tuning", "coverage", "evidence"];
const axe = readFileSync(join(here, "node_modules/axe-core/axe.min.js"), "utf8");
const skip = !browserPath && !process.env.CI && "needs a browser: apt-get install chromium";
const options = { skip, timeout: 20 * patience };
const config = join(dir, "noecho.yaml");

const passage = "The kettle that she bought in spring began to leak at its left seam after nine days. Ask ann.example@example.com.";

let noecho, chromium;

before(async () => {
  if (skip) return;
  noecho = build();
  const train = join(dir, "train.jsonl");
  writeFileSync(train, JSON.stringify({ text: passage }) + "\n");
  await run("index", "build", "--out", join(dir, "train.nidx"), train);
  writeFileSync(config, `version: 1\nupstream: http://127.0.0.1:9\nindex: ${join(dir, "train.nidx")}\n`);
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  end();
});

async function run(...args) {
  const program = start(noecho, ...args);
  await until(args.join(" "), () => program.gone());
  return program.log();
}

// serve starts a console over alert files and returns its address.
async function serve(files, ...more) {
  const port = await freePort();
  const program = start(noecho, "console", "--listen", `127.0.0.1:${port}`, ...more, ...[files].flat());
  const url = `http://127.0.0.1:${port}/console/`;
  await listening(program, url);
  await until("the end of reading", async () => (await fetch(url + "api/v1/overview")).status !== 503);
  return { url, port, program };
}

// full starts a console that has an index and a configuration.
const full = (files) => serve(files, "--index", join(dir, "train.nidx"), "--config", config, "--access", join(dir, "access.jsonl"));

function file(name, lines) {
  const path = join(dir, name);
  writeFileSync(path, lines);
  return path;
}

// open opens a page and returns it with the list of the complaints about it: errors of scripts,
// reports of the CSP, and requests to other hosts.
async function open(url, { width = 1280, theme = "light" } = {}) {
  const context = await chromium.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (err) => complaints.push(String(err)));
  page.on("request", (r) => new URL(r.url()).origin !== new URL(url).origin && !r.url().startsWith("blob:") && complaints.push(`asked ${r.url()}`));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`)));
  await page.goto(url);
  await ready(page);
  return { page, complaints, context };
}

const ready = (page) => page.waitForFunction(() => document.title !== "noecho");

// judge fails if a page scrolls sideways or axe-core finds something.
async function judge(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `${what} scrolls sideways by ${over} px`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.ok(found.passes.length > 10, "axe-core looked at nothing");
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], what);
}

test("the files of the pages are small", { skip }, () => {
  const assets = join(root, "console/assets");
  const bytes = readdirSync(assets).reduce((sum, name) => sum + statSync(join(assets, name)).size, 0);
  assert.ok(bytes <= 60 * 1024, `${bytes} bytes`);
});

test("every page, in two widths and both themes", options, async (t) => {
  const { url, program } = await full(file("day.jsonl", day(Date.now())));
  for (const width of [1280, 390]) {
    for (const theme of ["light", "dark"]) {
      const { page, complaints, context } = await open(url, { width, theme });
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background === "rgb(18, 21, 24)", theme === "dark", "the theme");
      for (const name of pages) {
        await t.test(`${name} ${width} ${theme}`, async () => {
          await page.goto(url + name);
          await ready(page);
          assert.match(await page.innerText("#say"), /^[A-Z0-9].{40,}[.!]$/s, "the sentence at the beginning");
          assert.equal(await page.locator("nav [aria-current=page]").count(), 1);
          assert.doesNotMatch(await page.innerText("body"), /\b(windows?|lanes?|principals?)\b/i);
          await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
          await judge(page, name);
          await forms[name]?.(page);
          assert.deepEqual(complaints.splice(0), []);
        });
      }
      await context.close();
    }
  }
  await program.stop();
});

// forms are what people do on a page that has a form of its own.
const forms = {
  async findings(page) {
    await page.goto(page.url() + "?record=tickets/7&record=tickets/18");
    await ready(page);
    await page.selectOption("#severity", "medium");
    await page.click("text=Show");
    await page.waitForURL(/severity=medium/);
    await ready(page);
    assert.deepEqual(new URL(page.url()).searchParams.getAll("record"), ["tickets/7", "tickets/18"], "a filter is lost");
    await page.click("text=leave record out");
    await page.waitForURL((url) => url.searchParams.getAll("record").length === 1);
    await ready(page);
    await page.locator("tbody a").first().click();
    await page.waitForURL(/key=/);
    await ready(page);
    assert.match(await page.innerText("main"), /noecho explain --corpus/);
    await judge(page, "a finding");
  },
  async records(page) {
    await page.locator("tbody a").first().click();
    await page.waitForURL(/record=/);
    await ready(page);
    assert.match(await page.innerText("main"), /Longest passage/);
    await judge(page, "a record");
  },
  async callers(page) {
    assert.match(await page.innerText("main"), /likely a search/);
    await page.locator("tbody a").first().click();
    await page.waitForURL(/caller=/);
    await ready(page);
    assert.match(await page.innerText("main"), /a hash of it/);
    await judge(page, "a caller");
  },
  async lookup(page) {
    const texts = [["ann.example@example.com", /Yes\. The training data has it/], ["nobody@example.net", /Not found/], ["two words", /Too short to say/]];
    for (const [text, want] of page.viewportSize().width > 390 ? texts : texts.slice(0, 1)) { // ten a minute are allowed
      await page.fill("#text", text);
      await page.click("main button");
      await page.waitForFunction((source) => new RegExp(source).test(document.querySelector("div[role=status]").innerText), want.source);
      await judge(page, "an answer to a look-up");
    }
  },
  async whatif(page) {
    await page.selectOption("#action", "block");
    await page.click("text=Try it");
    await page.waitForSelector("text=As configuration");
    assert.match(await page.innerText("pre"), /action: block/);
    await judge(page, "the result of rules");
  },
  async tuning(page) {
    assert.equal(await page.locator("input:checked").count(), 0, "something is chosen beforehand");
    await page.locator("input[type=checkbox]").first().check();
    await page.fill("#reason", "greeting");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download the list")]);
    const lines = readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.every((line) => /^[0-9a-f]{16}$/.test(line.digest) && line.reason === "greeting"));
  },
  async evidence(page) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=Download the ZIP")]);
    assert.equal(readFileSync(await download.path()).subarray(0, 2).toString(), "PK");
  },
};

test("without a mouse", options, async () => {
  const { url, program } = await full(file("keyboard.jsonl", day(Date.now())));
  const { page, complaints, context } = await open(url);
  const focused = () => page.evaluate(() => {
    const at = document.activeElement;
    return { words: at.innerText || at.getAttribute("aria-label") || at.id, outline: at.id === "main" || parseFloat(getComputedStyle(at).outlineWidth) > 0 };
  });
  // reach presses Tab until a thing has the focus; each on the way must show that it has it.
  const reach = async (words) => {
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      const at = await focused();
      assert.ok(at.outline, `${at.words} does not show the focus`);
      if (at.words === words) return;
    }
    assert.fail(`no way to ${words}`);
  };
  await reach("Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.goto(url);
  await ready(page);
  await reach("Findings");
  await page.keyboard.press("Enter");
  await page.waitForURL(/findings/);
  await ready(page);
  await reach("low\nmedium\nhigh\ncritical");
  await page.keyboard.type("critical");
  await reach("Show");
  await page.keyboard.press("Enter");
  await page.waitForURL(/severity=critical/);
  await ready(page);
  await reach("Follow new ones");
  await page.keyboard.press("Space");
  await page.waitForSelector("button[aria-pressed=true]");
  await page.keyboard.press("Space");
  await page.waitForSelector("button[aria-pressed=false]");
  assert.deepEqual(complaints, []);
  await context.close();
  await program.stop();
});

test("new findings come once each, over pauses and a restart", options, async () => {
  const now = Date.now(), boot = new Boot("live-0", now - 60_000);
  const path = file("live.jsonl", boot.start(now - 60_000) + boot.finding(now - 50_000, 1, 0));
  let shown = 1;
  const more = (n) => {
    for (let i = 0; i < n; i++) appendFileSync(path, boot.finding(now + shown, 1, shown++));
  };
  const first = await serve(path);
  const { page, context } = await open(first.url + "findings");
  const rows = () => page.locator("tbody tr").count();
  assert.equal(await rows(), 1);
  await page.click("text=Follow new ones");
  more(5);
  await until("five new rows", async () => (await rows()) === 6);
  await page.click("text=Pause");
  more(5);
  await page.click("text=Follow new ones");
  await until("what came in the pause", async () => (await rows()) === 11);
  await first.program.stop("SIGKILL");
  more(5);
  const second = start(noecho, "console", "--listen", `127.0.0.1:${first.port}`, path);
  await listening(second, first.url);
  more(5);
  await until("what came over the restart", async () => (await rows()) === 21);
  more(1);
  await until("one more", async () => (await rows()) === 22);
  const records = await page.locator("tbody tr td:nth-child(5)").allInnerTexts();
  assert.deepEqual(records, Array.from({ length: 22 }, (_, i) => `tickets/${21 - i}`), "the newest first, each once");
  await context.close();
  await second.stop();
});

test("noecho serve shows its own findings", options, async () => {
  const model = await freePort(), listen = await freePort(), admin = await freePort();
  const fake = start(join(dir, "fakellm"), "-listen", `127.0.0.1:${model}`, "-text", file("answer.txt", `She wrote: ${passage}`));
  const own = file("serve.yaml", `version: 1\nupstream: http://127.0.0.1:${model}\nindex: ${join(dir, "train.nidx")}\nlisten: 127.0.0.1:${listen}\nadmin: {listen: "127.0.0.1:${admin}", console: true}\nalerts: [{type: file, path: ${join(dir, "own.jsonl")}}]\n`);
  const program = start(noecho, "serve", "--config", own);
  await listening(program, `http://127.0.0.1:${admin}/readyz`);
  const { page, complaints, context } = await open(`http://127.0.0.1:${admin}/console/findings`);
  await page.click("text=Follow new ones");
  await page.waitForSelector("text=Following.");
  const answer = await fetch(`http://127.0.0.1:${listen}/v1/chat/completions`, { method: "POST", body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hi" }] }) });
  assert.match(await answer.text(), /\[redacted\]/);
  await page.waitForSelector("tr.fresh >> text=words");
  assert.match(await page.innerText("tbody"), /redacted\s+\d+ words\s+train\.jsonl:1/);
  assert.ok(!(await page.content()).includes("kettle"), "the page has text of the training data");
  assert.deepEqual(complaints, []);
  await context.close();
  await program.stop();
  await fake.stop();
});

test("strings of alerts stay text", options, async () => {
  const now = Date.now(), boot = new Boot("<b>bold</b>", now - 60_000);
  const evil = '<img src=x onerror="window.pwned=1">\u202Egpj.exe';
  const members = {
    user: evil, model: evil, route: "/" + evil, path: "/" + evil, lane: "<i>plain</i>", request_id: "a<script>pwned=1</script>",
    records: [{ id: evil, dataset: "<u>set</u>", labels: ["<s>label</s>", "\u2067pii"] }], rule: evil, kind: "<q>kind</q>",
  };
  const tally = boot.tally(now - 40_000, 60, [["/" + evil, { observed: 1 }]]);
  const { url, program } = await full(file("evil.jsonl", boot.start(now - 60_000) + boot.finding(now - 50_000, 1, 0, members) + tally));
  const { page, complaints, context } = await open(url);
  const query = encodeURIComponent(evil);
  for (const name of [...pages, `findings?key=${boot.boot}:2`, `findings?record=${query}&label=${query}`, `records?record=${query}`, `callers?caller=u:${query}`, `findings?since=${query}`]) {
    await page.goto(url + name);
    await ready(page);
    const seen = await page.evaluate(() => ({
      markup: document.querySelectorAll("main :is(img, b, i, u, s, q, script):not(.figures b, #say b, td > b)").length, pwned: window.pwned,
      turned: /[\u202A-\u202E\u2066-\u2069]/.test(document.body.innerText),
    }));
    assert.deepEqual(seen, { markup: 0, pwned: undefined, turned: false }, name);
    if (/findings$|records$|callers$/.test(name)) assert.match(await page.innerText("main"), /<img src=x onerror="window.pwned=1">⟨U\+202E⟩gpj.exe/);
  }
  assert.deepEqual(complaints.filter((text) => !text.includes("400 (Bad Request)")), []);
  await context.close();
  await program.stop();
});

test("long names do not make a page wider", options, async () => {
  const now = Date.now(), boot = new Boot("long", now - 60_000, "observe"), long = "l".repeat(200);
  const found = boot.finding(now - 50_000, 1, 0, { route: "/" + long, records: [{ id: long, dataset: long, labels: [long] }] });
  const { url, program } = await full(file("long.jsonl", boot.start(now - 60_000) + found + boot.tally(now - 40_000, 60, [["/" + long, { observed: 1 }]])));
  for (const width of [1280, 390]) {
    const { page, context } = await open(url, { width });
    for (const name of [...pages, `findings?key=${boot.boot}:2`, `records?record=${long}`]) {
      await page.goto(url + name);
      await ready(page);
      await judge(page, `${name} at ${width} px`);
      for (const select of await page.locator("select").all()) assert.ok(((await select.boundingBox())?.width ?? 0) <= width, `${name}: a list is wider than the page`);
      if (name !== "overview") continue;
      const over = await page.locator(".stack").evaluate((list) => list.scrollWidth - list.clientWidth);
      assert.ok(over <= 0, `what needs a person is hidden by ${over} px of ${width}`);
    }
    await context.close();
  }
  await program.stop();
});

test("nothing known is not zero", options, async () => {
  const { url, program } = await serve(file("nothing.jsonl", ""));
  const { page, complaints, context } = await open(url);
  for (const name of pages.slice(0, 4)) {
    await page.goto(url + name);
    await ready(page);
    assert.match(await page.innerText("#say"), /Nothing is known/, name);
  }
  await page.goto(url);
  await ready(page);
  assert.doesNotMatch(await page.innerText("main"), /\b0\s+(answers|of them|records|people)/);
  assert.deepEqual(complaints, []);
  await context.close();
  await program.stop();
});

// ask sends one request as no browser would.
const ask = (port, path, headers = {}, method = "GET", body) =>
  new Promise((done, fail) => {
    const r = request({ host: "127.0.0.1", port, path, method, headers }, (answer) => {
      let text = "";
      answer.on("data", (data) => (text += data)).on("end", () => done({ status: answer.statusCode, text, headers: answer.headers }));
    });
    r.on("error", fail).end(body);
  });

test("strangers are refused", options, async () => {
  const token = "correct-horse-battery", wrong = "wrong-horse-battery";
  const path = file("guarded.jsonl", day(Date.now()));
  const { url, port, program } = await serve(path, "--token-file", file("token", token));
  assert.equal((await ask(port, "/console/api/v1/overview")).status, 401);
  assert.equal((await ask(port, "/console/api/v1/overview", { Host: "rebound.example" })).status, 403);
  const json = { "Content-Type": "application/json" };
  assert.equal((await ask(port, "/console/api/v1/login", { ...json, Origin: "https://evil.example" }, "POST", JSON.stringify({ token }))).status, 403);

  const { page, context } = await open(url + "findings?severity=high");
  await page.fill("#token", wrong);
  await page.click("text=Sign in >> nth=-1");
  await until("a refusal", async () => (await page.innerText("#problem")).length > 10);
  await judge(page, "the form to sign in");
  await page.fill("#token", token);
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Findings, the newest first");
  assert.match(page.url(), /severity=high/, "the way back to the page that was wanted");
  const [cookie] = await context.cookies();
  assert.equal(cookie.httpOnly && cookie.sameSite === "Strict" && !cookie.value.includes(token), true);
  await page.click("text=Follow new ones");
  await page.waitForSelector("text=Following.");
  await program.stop("SIGKILL"); // and all sessions with it
  const again = start(noecho, "console", "--listen", `127.0.0.1:${port}`, "--token-file", join(dir, "token"), path);
  await page.waitForSelector("#token");
  await page.fill("#token", token);
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Findings, the newest first");
  await page.click("text=Sign out");
  await page.waitForSelector("#token");
  await context.close();
  await again.stop();

  // Behind a proxy that signs people in, roles decide.
  const roles = file("roles.yaml", `version: 1\nupstream: http://127.0.0.1:9\nindex: ${join(dir, "train.nidx")}\ntrusted_proxies: [127.0.0.1]\n${roleKeys}`);
  const behind = await serve(path, "--config", roles, "--index", join(dir, "train.nidx"));
  const as = (group, ...rest) => ask(behind.port, ...rest.slice(0, 1), { ...json, "x-user": "ann", "x-groups": group }, ...rest.slice(1));
  await until("the end of reading", async () => (await as("office", "/console/api/v1/overview")).status !== 503);
  for (const [group, status, ...rest] of [
    ["watchers", 200, "/console/api/v1/overview"], ["watchers", 403, "/console/api/v1/findings.csv"], ["watchers", 403, "/console/api/v1/lookup", "POST", '{"text":"x"}'],
    ["hunters", 200, "/console/api/v1/findings.csv"], ["hunters", 403, "/console/api/v1/lookup", "POST", '{"text":"x"}'],
    ["office", 200, "/console/api/v1/lookup", "POST", '{"text":"x"}'], ["others", 403, "/console/api/v1/overview"],
  ]) assert.equal((await as(group, ...rest)).status, status, `${group} ${rest[0]}`);
  await behind.program.stop();
});

const roleKeys = `admin:
  console:
    user_header: x-user
    groups_header: x-groups
    viewers: [watchers]
    analysts: [hunters]
    privacy: [office]
    hosts: [console.example.com]
`;
