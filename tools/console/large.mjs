// Measures the pages over 500,000 findings: the time from the click until the page is whole,
// the middle of nine, the processor time of noecho for one, and its memory. Run it with `make console-large`.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Boot, hex } from "./alerts.mjs";
import { browser, build, dir, freePort, listening, start, until } from "./noecho.mjs";

const rows = 500_000, stop = Date.now(), begin = stop - 7 * 86_400_000;
const alerts = join(dir, "large.jsonl");
const boot = new Boot("support-0", begin);
writeFileSync(alerts, boot.start(begin));
for (let i = 0, lines = []; i < rows; i++) {
  const at = begin + Math.floor(((stop - begin) * i) / rows);
  lines.push(boot.finding(at, i % 997, i % 4999, { windows: 2, digests: [hex(i % 4999), hex(i % 4999 + 5000)] }));
  if (i % 50 === 0) lines.push(boot.tally(at, 60, [["/v1/chat/completions", { clean: 1000, redacted: 50 }]]));
  if (lines.length > 10_000 || i === rows - 1) appendFileSync(alerts, lines.splice(0).join(""));
}
const url = `http://127.0.0.1:${await freePort()}/console/`;
const began = Date.now();
const program = start(build(), "console", "--listen", new URL(url).host, alerts);
await listening(program, url);
await until("all rows", async () => {
  const answer = await fetch(url + "api/v1/overview");
  return answer.ok && !(await answer.json()).known.loading;
});
console.log(`read in ${Date.now() - began} ms`);

// worked is the processor time of noecho so far, in milliseconds.
function worked() {
  const [, fields] = readFileSync(`/proc/${program.pid}/stat`, "utf8").split(") ");
  return fields.split(" ").slice(11, 13).reduce((sum, ticks) => sum + 10 * ticks, 0);
}

const chromium = await browser();
const page = await chromium.newPage();
for (const name of ["overview", "overview?since=7d", "findings", "findings?severity=medium&q=tickets/77", "records", "callers?since=7d", "tuning", "coverage"]) {
  const times = [], before = worked();
  for (let i = 0; i < 9; i++) {
    await page.goto("about:blank");
    const from = performance.now();
    await page.goto(url + name, { waitUntil: "commit" });
    await page.waitForFunction(() => document.title !== "noecho" && document.title !== "");
    times.push(performance.now() - from);
  }
  console.log(`${name}: ${Math.round(times.sort((a, b) => a - b)[4])} ms, processor ${Math.round((worked() - before) / 9)} ms`);
}
console.log(readFileSync(`/proc/${program.pid}/status`, "utf8").match(/Vm(HWM|RSS).*/g).join(", "));
await chromium.close();
await program.stop();
