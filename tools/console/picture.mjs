// Makes docs/console.png, the picture of the README: the overview of an invented day, as
// noecho shows it in Chromium. Run it with `make console-picture`.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { day } from "./alerts.mjs";
import { browser, build, dir, freePort, listening, root, start } from "./noecho.mjs";

const alerts = join(dir, "alerts.jsonl");
writeFileSync(alerts, day(Date.now()));
const url = `http://127.0.0.1:${await freePort()}/console/`;
const program = start(build(), "console", "--listen", new URL(url).host, alerts);
await listening(program, url);
const chromium = await browser();
const page = await chromium.newPage({ viewport: { width: 1100, height: 900 }, colorScheme: "light" });
await page.goto(url);
await page.waitForFunction(() => document.title !== "noecho");
await page.screenshot({ path: join(root, "docs/console.png"), fullPage: true });
await chromium.close();
await program.stop();
