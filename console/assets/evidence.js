// The file for an auditor or an authority: what was protected, when, and what was found.
import { api, base, choice, count, el, facts, field, filters, many, moment, plain, Refused, search as address, size, span, table } from "./lib.js";

const abouts = [["all", "everything"], ["person", "one person (id on the list)"], ["record", "one record"], ["dataset", "one dataset"]];
const date = (ago) => new Date(Date.now() - ago * 86400e3).toISOString().slice(0, 10);

export default async function ({ query, session }) {
  const wanted = { from: query.from ?? date(29), to: query.to ?? date(0), about: query.about ?? "all", id: query.id ?? "" };
  const say = "Here is a file for an auditor or an authority: what was protected, when, with which index, and what was found, without any text of answers or of training data.";
  if (!session.can.export) return { say, body: [el("p", { class: "note" }, "Your role may not collect evidence. Ask somebody with the role analyst.")] };
  const form = filters("Evidence to collect", [], field("from", "From", { type: "date", value: wanted.from, required: true }), field("to", "To", { type: "date", value: wanted.to, required: true }),
    choice("about", "About", abouts, wanted.about), field("id", "Which", { value: wanted.id, size: 18 }));
  try {
    const s = await api("evidence/summary", wanted);
    return { of: s, say, body: [form, ...summary(s, wanted)] };
  } catch (err) {
    if (!(err instanceof Refused) || err.status === 503) throw err;
    return { say, body: [form, el("p", { role: "alert", class: "warn" }, err.message)] };
  }
}

function summary(s, wanted) {
  const lines = s.lines_missing || s.lines_lost;
  return [
    el("h2", {}, "What it says"),
    el("div", { class: "panel" }, facts([
      ["Period", `${wanted.from} to ${wanted.to}, both days included, UTC`],
      ["About", plain(s.id) || "everything"],
      ["In force", `${span(s.running_seconds)} of ${span(s.period_seconds)}`],
      ["Answers", `${s.answers_at_least ? "at least " : ""}${many(s.answers, "answer")} judged, ${many(s.with_findings, "answer")} with training data`],
      ["Withheld", many(s.withheld, "answer")],
      ["Passed", el("span", { class: s.passed ? "passed" : null }, many(s.passed, "answer"))],
      ["Findings", count(s.findings)],
      ["Not scanned", `${size(s.unscanned_passed_bytes)} passed, ${many(s.unscanned_refused, "answer")} refused`],
      ["Lines", lines ? el("span", { class: "warn" }, `${count(s.lines_missing)} missing, ${count(s.lines_lost)} lost and told`) : "none is missing: every number of the sequence is there"],
      ["Contents", s.contents.map(plain).join(", ")],
    ])),
    el("div", { class: "row" }, el("a", { class: "button main", href: `${base}api/v1/evidence.zip${address(wanted)}`, download: "evidence.zip" }, "Download the ZIP"),
      el("button", { click: () => print() }, "Print this summary")),
    el("h2", {}, "When noecho did not run"),
    table("Times without protection or without data", ["From (UTC)", "To (UTC)", "#For"], s.not_running.map((g) => [moment(g.from), moment(g.to), span((new Date(g.to) - new Date(g.from)) / 1000)]), "None in this period."),
    el("h2", {}, "Indexes in force"),
    table("Indexes", ["Index", "From (UTC)", "To (UTC)"], s.indexes.map((i) => [el("span", { class: "code" }, plain(i.build_id)), moment(i.from), moment(i.to)]), "No line names an index."),
  ];
}
