// The words of the pages for values of the alerts.
import { count, el, link, many, moment, name, plain, to } from "./lib.js";

export const done = { observed: "passed", redacted: "redacted", blocked: "blocked", echo: "the caller's own words", ignored: "everybody may say it", refused: "refused", passed: "passed" };
export const severities = ["low", "medium", "high", "critical"];
export const kinds = { verbatim: "word by word", near: "nearly word by word", phrase: "identifier or short text", stuffing: "too much to wait for" };
export const identifiers = { email: "e-mail address", phone: "phone number", iban: "IBAN", card: "card number", ssn: "social security number", key: "key", subject: "name of a person on the list", phrase: "short text" };

// action says what was done. Nothing else on the pages is red.
export const action = (row) => (row.outcome === "passed" ? el("span", { class: "passed" }, "passed") : plain(done[row.action] ?? row.action) || "–");

export const passed = (n) => (n ? el("span", { class: "passed" }, count(n)) : count(n));

export const caller = (c) => (c.key ? link("callers", { caller: c.key, since: "7d" }, name(c.name)) : "unknown");

// record leads to the page of the record here, and to the place where it is kept.
export const record = (r) => link("records", { record: r.id }, name(r.id));

export function kept(r, words) {
  return /^https?:\/\//.test(r.url) && el("a", { href: r.url, rel: "noreferrer" }, words);
}

export const labels = (all) => all.flatMap((label) => [el("span", { class: "mark" }, plain(label)), " "]);

export const what = (row) => [plain(row.what), row.lane && row.lane !== "plain" && [" ", el("span", { class: "mark" }, `in disguise: ${plain(row.lane)}`)]].flat().filter(Boolean);

export const columns = ["Time (UTC)", "Severity", "What was done", "What", "@Record", "@Caller", "Request"];

// cells are the cells of a finding in a table with the columns above.
export function cells(row) {
  const first = row.records[0], more = row.record_count - 1;
  return [
    el("a", { href: to("findings", { key: row.key }) }, moment(row.time)),
    el("span", { class: row.severity }, row.severity),
    action(row),
    what(row),
    first ? [record(first), more > 0 && ` and ${row.record_count >= 16 ? "at least " : ""}${count(more)} more`].filter(Boolean) : "unknown",
    caller(row.caller),
    el("span", { class: "code" }, plain(row.request_id)),
  ];
}

// quote makes one word of a command line, or nothing of a text with invisible characters.
export const quote = (text) => (plain(text) !== text ? null : /^[\w./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export const records = (n, orMore) => `${many(n, "record")}${orMore ? " or more" : ""}`;
