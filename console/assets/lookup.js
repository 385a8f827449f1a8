// Does the training data have a person or a text?
import { api, ask, count, el, link, many, moment, plain, table } from "./lib.js";
import { labels, passed, record, records, what } from "./words.js";

export default async function ({ session }) {
  const say = "Ask whether the training data has a person or a text: type an e-mail address, a phone number, or at least ten words.";
  if (!session.can.lookup) {
    return { say, body: [el("p", { class: "note" }, session.lookup.index ? "Your role may not look up. Ask somebody with the role privacy." : "There is no index here to ask. Start the console with --index, or open that of a running noecho.")] };
  }
  const answer = el("div", { role: "status" });
  const text = el("textarea", { id: "text", name: "text", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "promise" });
  const form = el("form", {}, el("div", { class: "grow" }, el("label", { for: "text" }, "Person or text"), text), el("button", { class: "main" }, "Look up"));
  ask(form, answer, async () => result(await api("lookup", {}, { text: text.value })));
  return { say, body: [form, el("p", { id: "promise", class: "soft" }, "The text is judged in memory and kept nowhere. That you looked up something is written to the alerts, without the text."), answer] };
}

function result(r) {
  const where = r.indexes.map(plain).join(", ");
  if (r.result === "too_short") return [el("p", { class: "say" }, `Too short to say: ${many(r.words, "word")}, and ${count(r.least_words)} in a row are needed, or an identifier such as an e-mail address.`)];
  if (r.result !== "found") return [el("p", { class: "say" }, `Not found in ${where}.`), el("p", { class: "note" }, "This is no proof that the training data does not have it: a text in other words is not found.")];
  return [
    el("p", { class: "say" }, el("b", {}, "Yes. "), `The training data has it: ${many(r.findings.length, "passage")} in ${where}.`),
    ...r.findings.map((f) => table(`${what(f).map((w) => w.textContent ?? w).join("")}, in ${records(f.record_count, f.record_count >= 16)}`, ["@Record", "Dataset", "Labels"],
      f.records.map((x) => [record(x), plain(x.dataset), labels(x.labels)]), "The index does not name the records.")),
    el("h2", {}, "Did it come out?"),
    table("Answers that had these records", ["What", "#Answers", "#Withheld", "#Passed", "Known since (UTC)"],
      r.findings.map((f) => [what(f), ...(f.came_out ? [count(f.came_out.answers), count(f.came_out.withheld), passed(f.came_out.passed), moment(f.came_out.since)] : ["no data", "", "", ""])])),
    el("p", {}, link("evidence", {}, "Collect the evidence"), " for an answer to the person, or ask the owner of the data to take the records out and build the index again."),
  ];
}
