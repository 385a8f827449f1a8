// Which parts of the training data come out.
import { api, choice, count, el, facts, filters, last, link, many, moment, name, pager, period, plain, share, table } from "./lib.js";
import { kept, labels, passed, quote, record } from "./words.js";

export default async function ({ query, search }) {
  const since = query.since ?? "7d";
  const list = await api("records", search);
  const rows = list.rows.map((r) => [record(r), labels(r.labels), count(r.findings), passed(r.passed), count(r.callers), portion(r), moment(r.last)]);
  const only = list.rows.length === 1 && query.record && list.rows[0];
  return { of: list,
    say: only ? sentence(only, since) : list.total ? `In ${last(since)} parts of ${many(list.total, "training record")} came out of the model, some of them to several callers.` : `In ${last(since)} no training record came out of the model.`,
    body: [
      filters("Records to show", search, period(since), choice("sort", "Order", [["findings", "most findings"], ["passed", "most passed"], ["callers", "most callers"], ["share", "largest share"]], query.sort ?? "findings")),
      table("Records of the training data", ["@Record", "@Labels", "#Findings", "#Passed", "#Callers", "#Share that came out", "Last (UTC)"], rows),
      pager("records", search, list),
      only && detail(only),
    ] };
}

const sentence = (r, since) => ["In ", last(since), " this record came out in ", el("b", {}, many(r.answers, "answer")), " to ", many(r.callers, "caller"), r.passed ? [", and ", el("span", { class: "passed" }, `${many(r.passed, "finding")} passed`), "."] : ", and nothing of it passed."].flat();

const portion = (r) => (r.share == null ? "not known" : share(r.share, 1));

function detail(r) {
  const id = quote(r.id);
  return [
    el("h2", {}, name(r.id)),
    el("div", { class: "panel" }, facts([
      ["Dataset", plain(r.dataset) || "none"],
      ["Labels", ...(r.labels.length ? labels(r.labels) : ["none"])],
      ["Person on the list", r.person ? "yes" : "no"],
      ["First seen", moment(r.first)],
      ["Last seen", moment(r.last)],
      ["Came out as", r.as.map((a) => `${plain(a.what)} (${count(a.count)})`).join(", ")],
      ["Longest passage", many(r.words, "word")],
      ["Share", r.share == null ? "not known: its words are counted only if coverage is configured" : `${count(r.share_words)} of ${many(r.record_words, "word")}`],
      ["Findings", link("findings", { record: r.id, since: "30d" }, many(r.findings, "finding"))],
      ["Kept at", kept(r, plain(r.url)) || "no address is configured (console.record_url)"],
    ])),
    id && el("p", {}, "Somebody who may read the training files can see which words came out:"),
    id && el("pre", { tabindex: 0 }, `noecho tail -o json --record ${id} alerts.jsonl | noecho explain --corpus train.jsonl -`),
  ];
}
