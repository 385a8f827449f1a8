// What noecho sees of the traffic, and what it does not.
import { api, count, el, filters, last, many, moment, name, period, plain, size, span, table } from "./lib.js";
import { passed } from "./words.js";

const states = { scanned: "scanned", observes: "scanned, but nothing is withheld", not_scanned: "not scanned", refused: "refused" };
const bad = (n, words = count(n)) => (n ? el("span", { class: "warn" }, words) : words);

export default async function ({ query }) {
  const since = query.since ?? "24h";
  const c = await api("coverage", { since });
  const open = c.routes.filter((r) => r.state === "not_scanned" || r.unscanned).length, watching = c.routes.filter((r) => r.state === "observes").length;
  const running = c.instances.filter((i) => i.running).length;
  return { of: c,
    say: !c.instances.length ? `Nothing is known of ${last(since)}: no instance of noecho told that it ran.` : [
      `${many(running, "instance")} of ${count(c.instances.length)} ${running === 1 ? "runs" : "run"}; `,
      open ? el("b", { class: "warn" }, `on ${many(open, "route")} answers went out that were not scanned`) : "every answer that is known was scanned or refused",
      watching ? [", and ", el("b", {}, many(watching, "route")), watching === 1 ? " only observes" : " only observe"] : "", "."].flat(),
    body: [
      filters("Time", [], period(since)),
      c.indexes_differ && el("p", { class: "note" }, "The instances use different indexes, so that the same answer may be judged in different ways."),
      el("h2", {}, "Routes"),
      table(`Routes in ${last(since)}`, ["@Route", "State", "API", "Mode", "#Answers", "#With training data", "#Passed", "#Not scanned", "#Refused"],
        c.routes.map((r) => [name(r.route), bad(r.state === "not_scanned", states[r.state] ?? plain(r.state)), plain(r.api) || "–", plain(r.mode) || "–", count(r.answers), count(r.with_findings), passed(r.passed),
          bad(r.unscanned, r.unscanned ? `${many(r.unscanned, "answer")}, ${size(r.unscanned_bytes)}` : count(r.unscanned)), count(r.refused)])),
      el("p", {}, `Of the bytes of answers ${size(c.bytes.scanned)} were scanned, ${size(c.bytes.passed)} passed without, ${size(c.bytes.refused)} were refused.`),
      el("h2", {}, "Instances"),
      table("Instances of noecho", ["@Instance", "State", "Since (UTC)", "Last line (UTC)", "Index", "Mode", "#Lines lost", "#Lines missing"],
        c.instances.map((i) => [name(i.instance), i.running ? "runs" : el("span", { class: "warn" }, "does not run"), moment(i.since), moment(i.last), el("span", { class: "code" }, plain(i.index).slice(0, 12)), plain(i.mode), bad(i.lost), bad(i.missing)])),
      el("h2", {}, "Times without data"),
      table("Gaps", ["From (UTC)", "To (UTC)", "#For", "@Instance", "Why"], c.gaps.map((g) => [moment(g.from), moment(g.to), span((new Date(g.to) - new Date(g.from)) / 1000), name(g.instance), plain(g.why)]), "None."),
      el("h2", {}, "Alert files"),
      table("Files that were read", ["@File", "#Size", "First line (UTC)", "Last line (UTC)", "On the disk"], c.files.map((f) => [name(f.name), size(f.bytes), moment(f.first), moment(f.last), f.present ? "yes" : "no"])),
    ] };
}
