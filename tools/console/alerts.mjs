// Alert lines of an invented day, by docs/alert.schema.json. The same arguments give the
// same lines.
const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

// ulid makes an id of a time and a number.
function ulid(time, n) {
  let text = "";
  for (let t = time, i = 0; i < 10; i++, t = Math.floor(t / 32)) text = letters[t % 32] + text;
  for (let i = 15; i >= 0; i--) text += letters[Math.floor(n / 32 ** i) % 32];
  return text;
}

const index = { build_id: "fc1ebf19a0b1c2d3", generation: 1 };
const stamp = (time) => new Date(time).toISOString().replace("Z", "000000Z");
export const hex = (n) => ((n * 2654435761) % 2 ** 32).toString(16).padStart(8, "0").repeat(2);

// texts makes the hashes of the windows of a passage.
const texts = (n) => Array.from({ length: 25 }, (_, i) => hex(n * 100 + i));

// A Boot is one life of an instance.
export class Boot {
  constructor(instance, since, mode = "redact") {
    Object.assign(this, { instance, mode, boot: ulid(since, [...instance].reduce((n, c) => n + c.codePointAt(0), 0)), seq: 0, last: since });
  }

  line(type, time, severity, members) {
    this.seq++;
    this.last = time;
    return JSON.stringify({ v: 1, type, id: ulid(time, this.seq), seq: this.seq, boot: this.boot, time: stamp(time), severity, ...members, instance: this.instance }) + "\n";
  }

  start(time) {
    return this.line("start", time, "low", { action: "", mode: this.mode, index, reason: "", version: "v0.9.0" });
  }

  stop(time) {
    return this.line("stop", time, "low", { action: "", mode: this.mode, index, reason: "signal", version: "v0.9.0" });
  }

  // tally counts the answers of the minutes before: pairs of a route and its counts by action.
  tally(time, seconds, routes) {
    return this.line("tally", time, "low", {
      mode: this.mode, index, since: stamp(time - seconds * 1000), period: seconds,
      answers: routes.map(([route, actions]) => ({ route, actions })), body_bytes: { scanned: 40_000 * seconds, passed: 0, refused: 0 },
    });
  }

  // finding makes a finding of a record by a caller; more sets members.
  finding(time, caller, record, more = {}) {
    const action = this.mode === "observe" ? "observed" : "redacted";
    return this.line("finding", time, "medium", {
      action, mode: this.mode, route: "/v1/chat/completions", api: "openai.chat", path: "/v1/chat/completions", model: "support", stream: true,
      request_id: `request-${this.instance}-${this.seq}`, client: "192.0.2.7", principal: hex(caller), channel: "choices.0.content", kind: "verbatim", lane: "plain",
      identifier: "", start: 12, end: 240, words: 34, windows: 25, resumed: false, digests: texts(record + 1),
      records: [{ id: `tickets/${record}`, dataset: "tickets", labels: record % 3 ? [] : ["pii"] }], index, suppressed: 0,
      user: "", forwarded: "", traceparent: "", rule: "mode", record_count: 1, signal: [], ...more,
    });
  }
}

// day makes the lines of 24 hours before a time: two instances, of which one only observes,
// two hours in which neither ran, a greeting that all get, and a caller who searches.
export function day(end) {
  const hour = 3600_000, begin = end - 24 * hour;
  const lines = [];
  const add = (time, line) => lines.push([time, line]);
  const main = new Boot("support-0", begin), team = new Boot("team-b-0", begin + 7 * hour, "observe");
  const chat = "/v1/chat/completions";
  const live = (boot, from, to) => {
    add(from, boot.start(from));
    for (let t = from + 60_000, n = 0; t < to; t += 60_000, n++) {
      const h = Math.floor((t - begin) / hour), observes = boot.mode === "observe";
      const found = n % (observes ? 97 : 7) === 0 ? 1 + (h % 3) : 0, blocked = !observes && n % 20 === 0 ? 1 : 0;
      for (let i = 0; i < found; i++) {
        const search = !observes && h > 19 && i === 0;
        const at = t - 30_000 + i;
        add(at, boot.finding(at, search ? 99 : 1 + (n % 5), search ? n % 30 : n % 2 ? 7 : n % 11, {
          ...(n % 2 && !search ? { digests: texts(99), record_count: 16 } : {}),
          ...(search ? { lane: n % 3 ? "base64" : "plain", signal: ["disguise", "records"], severity: "high" } : {}),
          ...(n % 4 === 0 ? { kind: "phrase", identifier: "email", words: 1, windows: 1, digests: [hex(n)], severity: "critical" } : {}),
          ...(blocked && i === 0 ? { action: "blocked" } : {}),
          ...(observes ? { route: "/team-b/", path: "/team-b/chat/completions" } : {}),
        }));
      }
      const actions = observes ? { clean: 3, observed: found } : { clean: 20 + h, redacted: Math.max(0, found - blocked), blocked: Math.min(found, blocked) };
      add(t, boot.tally(t, 60, [[observes ? "/team-b/" : chat, actions]]));
    }
  };
  live(main, begin, begin + 5 * hour);
  add(begin + 5 * hour, main.stop(begin + 5 * hour));
  live(new Boot("support-0", begin + 7 * hour), begin + 7 * hour, end);
  live(team, begin + 7 * hour, end);
  return lines.sort((a, b) => a[0] - b[0]).map(([, line]) => line).join("");
}
