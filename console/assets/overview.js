// How many answers repeated training data, how many of them passed, and what needs a person.
import { chart } from "./chart.js";
import { api, count, el, filters, last, link, many, moment, period, plain, share, span, table, to } from "./lib.js";

const matters = {
  search: ["Search for training data", "See the caller"], passes: ["Training data passes", "Try another policy"], boilerplate: ["Text that everybody gets", "Decide what may pass"],
  indexes: ["Instances use different indexes", "See the instances"], lost: ["Alert lines are missing", "See the instances"], unscanned: ["Answers were not scanned", "See the routes"],
  mismatch: ["The index is of another model", "See the instances"], reload: ["A new configuration was refused", "See the instances"], budget: ["A caller used up its budget", "See the caller"],
  drip: ["A record comes out piece by piece", "See the record"], expired: ["An exception has expired", "See it"],
};

export default async function ({ query }) {
  const since = query.since ?? "24h";
  const o = await api("overview", { since });
  return { of: o, say: sentence(o, since), body: [
    filters("Time", [], period(since)),
    figures(o),
    el("h2", {}, "Answers with training data"),
    chart(o.hours, o.step_seconds, `Answers with training data in ${last(since)}; the table below the picture has every number`),
    el("h2", {}, "What needs a person"),
    todo(o.todo),
  ] };
}

const none = (o) => o.hours.every((h) => h.state === "none");

// sentence says what happened to somebody who reads nothing else.
function sentence(o, since) {
  const time = last(since).replace("the", "In the");
  if (none(o)) return `Nothing is known of ${last(since)}: no instance of noecho told that it ran.`;
  const all = o.answers == null ? "" : ` of ${o.answers_at_least ? "at least " : ""}`;
  const of = o.answers == null ? many(o.with_training_data, "answer") : `${count(o.with_training_data)}${all}${many(o.answers, "answer")}`;
  const say = [];
  if (!o.with_training_data) {
    say.push(`${time} the model repeated training data in no answer${o.answers == null ? " that is known" : `${all}${count(o.answers)}`}. `);
  } else {
    say.push(`${time} the model repeated training data in `, el("b", {}, of), ": ", el("span", { class: "good" }, `${count(o.withheld)} withheld`), ", ");
    say.push(o.passed ? el("span", { class: "passed" }, `${count(o.passed)} passed to the caller`) : "none passed to the caller");
    o.passed_routes.slice(0, 2).forEach((r, i) => say.push(i ? " and " : " on ", link("coverage", { since }, plain(r.route))));
    say.push(". ");
  }
  const searches = o.todo.filter((t) => t.kind === "search").length;
  if (searches) say.push(link("callers", { since }, searches === 1 ? "One caller looks" : `${count(searches)} callers look`), " as if searching for training data. ");
  if (o.no_data_seconds) say.push(`For ${span(o.no_data_seconds)} nothing is known.`);
  return say;
}

function figures(o) {
  const labelled = o.records_labelled.map((l) => `${count(l.records)} with the label ${plain(l.label)}`).join(", ");
  const all = [
    [o.with_training_data, `answers with training data${o.answers ? `, ${share(o.with_training_data, o.answers)} of ${o.answers_at_least ? "those that are known" : "all"}` : ""}`],
    [o.passed, "of them passed to the caller", o.passed && "passed"],
    [o.records, `records came out${labelled ? `, ${labelled}` : ""}`],
    [o.persons, `${o.persons === 1 ? "person" : "people"} on the list concerned`],
    [span(o.no_data_seconds), "without data"],
  ];
  return el("ul", { class: "figures" }, all.map(([n, words, style]) =>
    el("li", { class: "panel" }, el("b", { class: style || null }, typeof n === "string" ? n : count(none(o) ? null : n)), el("span", { class: "soft" }, words))));
}

function todo(all) {
  const rows = all.map((t) => {
    const [what, action] = matters[t.kind] ?? [plain(t.kind), "See it"];
    return [what, el("span", { class: t.severity }, t.severity), t.time ? moment(t.time) : "", plain(t.text), el("a", { href: to(t.page, t.query) }, action)];
  });
  const list = table("The most urgent first", ["What", "Severity", "Time (UTC)", "@Why", "What to do"], rows);
  list.classList.add("stack");
  return list;
}
