// Who received training data, and who looks as if searching for it.
import { api, choice, count, el, facts, filters, last, link, many, moment, name, pager, period, plain, table } from "./lib.js";
import { caller, passed } from "./words.js";

const judgements = { search: "likely a search", watch: "worth a look", ordinary: "ordinary" };
const signals = { disguise: "findings in disguise", records: "findings as one of many records", rate: "findings far above its own past", budget: "findings over its budget" };

export default async function ({ query, search }) {
  const since = query.since ?? "24h";
  const list = await api("callers", search);
  const searching = list.rows.filter((c) => c.judgement === "search").length;
  const rows = list.rows.map((c) => [caller(c), judgement(c), count(c.answers), count(c.findings), count(c.records), count(c.disguised), passed(c.passed), plain(c.why)]);
  const only = list.rows.length === 1 && query.caller && list.rows[0];
  return { of: list,
    say: `In ${last(since)} ${list.total ? many(list.total, "caller") : "no caller"} received or asked for training data${!list.total ? "" : searching ? `; ${count(searching)} of them ${searching === 1 ? "looks" : "look"} as if searching for it` : "; none looks as if searching for it"}.`,
    body: [
      filters("Callers to show", search, period(since), choice("sort", "Order", [["search", "likely searches first"], ["findings", "most findings"], ["records", "most records"], ["disguised", "most in disguise"], ["passed", "most passed"]], query.sort ?? "search")),
      table("Callers", ["@Caller", "Judgement", "#Answers", "#Findings", "#Records", "#In disguise", "#Passed", "@Why"], rows),
      pager("callers", search, list),
      only ? detail(only) : el("p", { class: "note" }, "Many different records, disguises, and a rate above the caller's own past speak for a search. A person judges."),
    ] };
}

const judgement = (c) => el("span", { class: c.judgement === "ordinary" ? null : "warn" }, judgements[c.judgement] ?? plain(c.judgement));

function detail(c) {
  return [
    el("h2", {}, name(c.name)),
    el("div", { class: "panel" }, facts([
      ["User", name(c.user || "not known")],
      ["Credential", el("span", { class: "code" }, plain(c.principal) || "none"), " (a hash of it)"],
      ["Address", name(c.client || "not known")],
      ["First seen", moment(c.first)],
      ["Last seen", moment(c.last)],
      ["Signs", c.signals.filter((s) => s.count).map((s) => `${count(s.count)} ${signals[s.signal] ?? plain(s.signal)}`).join(", ") || "none"],
      ["Findings", link("findings", { caller: c.key, since: "30d" }, many(c.findings, "finding"))],
    ])),
  ];
}
