// How answers would have ended under other rules.
import { api, ask, choice, count, el, field, last, many, period, plain, save, table } from "./lib.js";
import { done, identifiers, kinds } from "./words.js";

const actions = { observe: "pass (observe)", redact: "be redacted", block: "be blocked" };

export default async function ({ query, session }) {
  const say = "Try a rule on the findings of the past before it is in force; nothing changes here, and you get the rule as text.";
  if (!session.can.whatif) return { say, body: [el("p", { class: "note" }, session.whatif.config ? "Your role may not try rules. Ask somebody with the role analyst." : "The configuration is not known here. Start the console with --config, or open that of a running noecho.")] };
  const offer = session.whatif;
  const any = (all, words = {}) => [["", "any"], ...(all ?? []).map((x) => [x, words[x] ?? plain(x)])];
  const answer = el("div", { role: "status" });
  const text = el("textarea", { id: "yaml", spellcheck: "false", class: "code" });
  const form = el("form", { "aria-label": "Rule to try" },
    period(query.since ?? "7d"),
    choice("route", "Findings on route", any(offer.routes), query.route ?? ""),
    choice("kind", "Likeness", any(offer.kinds, kinds), query.kind ?? ""),
    choice("identifier", "Identifier", any(offer.identifiers, identifiers), ""),
    choice("label", "Record with label", any(offer.labels), ""),
    choice("dataset", "Record of dataset", any(offer.datasets), ""),
    field("min_words", "Words at least", { type: "number", min: 0, size: 5 }),
    choice("action", "would", offer.actions.map((a) => [a, actions[a] ?? a]), query.action ?? "redact"),
    el("div", {}, el("input", { type: "checkbox", id: "keep", name: "keep", checked: true }), " ", el("label", { for: "keep", class: "beside" }, "before the rules in force")),
    el("button", { class: "main" }, "Try it"),
    el("details", { class: "whole" }, el("summary", {}, "Try several rules instead"), el("label", { for: "yaml" }, "The key rules of a configuration"), text));
  ask(form, answer, async () => {
    const value = (key) => form.elements[key].value;
    const when = Object.fromEntries(["route", "kind", "identifier", "label", "dataset"].filter(value).map((key) => [key, [value(key)]]));
    if (value("min_words")) when.min_words = Number(value("min_words"));
    return result(await api("whatif", {}, { since: value("since"), keep: form.elements.keep.checked, ...(text.value.trim() ? { yaml: text.value } : { rules: [{ when, action: value("action") }] }) }), value("since"));
  });
  return { say, body: [form, answer] };
}

function result(r, since) {
  const least = r.at_least ? "at least " : "";
  const words = (action) => (action === "observed" ? el("span", { class: "passed" }, "passed") : plain(done[action] ?? action));
  const unsure = r.unsure.filter((u) => u.answers);
  return [
    el("p", { class: "say" }, `In ${last(since)} ${least}`, el("b", {}, many(r.changed, "answer")), ` of ${r.answers == null ? `${count(r.with_findings)} with training data` : count(r.answers)} would have ended otherwise, for ${many(r.callers, "caller")}. `,
      r.now_passes > 0 && el("span", { class: "passed" }, `${many(r.now_passes, "answer")} with training data would have passed.`)),
    table("Changes", ["What was done", "What would be done", "#Answers"], r.changes.map((c) => [words(c.from), words(c.to), count(c.answers)]), "No answer would have changed."),
    r.routes.length > 0 && el("h2", {}, "By route"),
    r.routes.length > 0 && table("Routes", ["@Route", "#Answers", "#With training data", "#Changed"], r.routes.map((x) => [plain(x.route), count(x.answers), count(x.with_findings), count(x.changed)])),
    unsure.length > 0 && el("div", { class: "note" }, el("p", {}, "Not certain, so that the true number may be higher:"), el("ul", {}, unsure.map((u) => el("li", {}, `${many(u.answers, "answer")}: ${plain(u.why)}`)))),
    el("h2", {}, "As configuration"),
    el("pre", { tabindex: 0 }, r.yaml.split("\n").map(plain).join("\n")),
    el("button", { type: "button", click: () => save("rules.yaml", r.yaml, "application/yaml") }, "Download the rules"),
  ];
}
