// Text that everybody gets: what may pass. Nothing is chosen beforehand.
import { api, ask, count, el, field, filters, last, link, many, pager, period, plain, save, share, table } from "./lib.js";
import { kinds, records } from "./words.js";

const looks = { boilerplate: "common text", leak: "a leak", unclear: "unclear" };

export default async function ({ query, search, session }) {
  const since = query.since ?? "7d";
  const list = await api("tuning", search);
  const chosen = new Set();
  const status = el("div", { role: "status" }, "Nothing is chosen.");
  const box = (t) => t.allowed && session.can.export && el("input", { type: "checkbox", "aria-label": `Everybody may say ${t.text}`, change: (event) => {
    if (event.target.checked) chosen.add(t.text);
    else chosen.delete(t.text);
    status.textContent = chosen.size ? `${many(chosen.size, "text")} chosen.` : "Nothing is chosen.";
  } });
  const rows = list.rows.map((t) => [link("findings", { text: t.text, since }, el("span", { class: "code" }, t.text)), box(t) || "no", `${many(t.words, "word")}, ${kinds[t.kind] ?? plain(t.kind)}`,
    count(t.findings), share(t.share, 1), count(t.callers), records(t.records, t.records_or_more), [el("b", {}, looks[t.looks] ?? plain(t.looks)), `: ${plain(t.why)}`]]);
  const form = el("form", { "aria-label": "File of exceptions" },
    field("reason", "Reason", { required: true, size: 24 }), field("until", "Until", { type: "date" }), field("by", "By", { size: 14, value: session.user }), el("button", { class: "main" }, "Download the list"));
  ask(form, status, async () => {
    if (!chosen.size) return "Choose a text first.";
    save("ignore.jsonl", await api("tuning/file", {}, { texts: [...chosen], reason: form.reason.value, until: form.until.value, by: form.by.value }), "application/x-ndjson");
    return "The list is downloaded. Nothing has changed yet.";
  });
  return { of: list,
    say: list.rows.length && list.rows[0].looks === "boilerplate" ? `Text that many callers get is often a greeting; the most frequent one made ${share(list.rows[0].share, 1)} of all findings in ${last(since)}.` : `A few texts often make most of the findings; here are those of ${last(since)}, and you decide which ones everybody may say.`,
    body: [
      filters("Time", search, period(since)),
      table("Texts, the most frequent first. A text is shown by its hash.", ["Text", "Everybody may say it", "What", "#Findings", "#Share", "#Callers", "#In how many records", "@Looks like"], rows),
      pager("tuning", search, list),
      el("h2", {}, "Take the list along"),
      session.can.export ? form : el("p", { class: "note" }, "Your role may not download the list. Ask somebody with the role analyst."),
      status,
      el("p", { class: "note" }, "The list works when the key ", el("code", {}, "ignore"), " of the configuration names it and noecho has reloaded: findings are still told, as ignored. ", el("code", {}, "noecho index build --exclude"), " leaves the texts out for good."),
    ] };
}
