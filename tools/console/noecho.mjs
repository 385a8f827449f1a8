// Builds and runs noecho for the tests and for the picture.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const here = dirname(fileURLToPath(import.meta.url));
export const root = dirname(dirname(here));
export const dir = mkdtempSync(join(tmpdir(), "noecho-console-"));
export const patience = 60_000; // only ends a hang

const running = new Set();

// end ends all programs that run; without it a test that failed would never end.
export const end = () => running.forEach((child) => child.kill("SIGKILL"));

process.on("exit", () => {
  end();
  rmSync(dir, { recursive: true, force: true });
});

// build builds the program of this tree.
export function build() {
  execFileSync("go", ["build", "-o", dir, "./cmd/noecho", "./internal/fakellm/cmd/fakellm"], { cwd: root, stdio: "inherit" });
  return join(dir, "noecho");
}

export const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export const browser = () => chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"] });

export const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

// until asks again and again until the answer is true.
export async function until(what, check) {
  for (const end = Date.now() + patience; ; await new Promise((r) => setTimeout(r, 50))) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`no ${what} after ${patience} ms`);
  }
}

// start starts a program and returns a function that ends it.
export function start(...command) {
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (log += data));
  const ended = new Promise((done) => child.on("exit", (code) => (running.delete(child), done(code))));
  return { pid: child.pid, log: () => log, gone: () => !running.has(child), stop: (signal = "SIGTERM") => (child.kill(signal), ended) };
}

// listening waits until a program answers at an address.
export const listening = (program, url) =>
  until(`answer of ${url}`, async () => {
    if (program.gone()) throw new Error(`ended before it answered:\n${program.log()}`);
    return fetch(url).then((answer) => answer.ok, () => false);
  });
