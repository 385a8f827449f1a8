// The single findings, with filters in the address, and those that come while one watches.
import { api, base, choice, el, facts, field, filters, last, line, link, many, name, period, plain, search as query, table, to } from "./lib.js";
import { cells, columns, done, kept, kinds, labels, quote, record, severities, what, action, caller } from "./words.js";

const fields = ["since", "severity", "action", "kind", "q"];
const most = 500; // rows that the table shows at most while new ones come

export default async function (page) {
  if (page.query.key) return one(page.query.key);
  const { query: given, search, session } = page;
  const since = given.since ?? "7d";
  const list = await api("findings", search);
  const found = table("Findings, the newest first", columns, list.rows.map(cells), "No finding in this time has all of this.");
  const status = el("p", { role: "status" }, `${many(list.total, "finding")} in ${last(since)}.`);
  const csv = new URLSearchParams([...search].filter(([key]) => key !== "cursor"));
  return { of: list,
    say: "Each row is one passage of an answer that is in the training data. The passage itself is not kept here, only the name of its record.",
    body: [
      filters("Findings to show", search, period(since),
        choice("severity", "Severity at least", severities.map((s) => [s === "low" ? "" : s, s]), given.severity ?? ""),
        choice("action", "What was done", [["", "anything"], ...["observed", "redacted", "blocked", "echo", "ignored"].map((a) => [a, done[a]])], given.action ?? ""),
        choice("kind", "Likeness", [["", "any"], ...Object.entries(kinds)], given.kind ?? ""),
        field("q", "Caller, record or request", { value: given.q ?? "", type: "search", size: 20 })),
      others(search),
      el("div", { class: "row" }, !given.cursor && tail(list, search, found, status), status),
      found,
      el("div", { class: "row" },
        given.cursor && el("a", { class: "button", href: to("findings", csv) }, "Newest"),
        list.next && el("a", { class: "button", href: to("findings", [...csv, ["cursor", list.next]]) }, "Older"),
        session.can.export && el("a", { class: "button", href: `${base}api/v1/findings.csv${query(csv)}`, download: "findings.csv" }, "Download as CSV")),
    ] };
}

// others lists the filters that the form has no field for, each with a link without it.
function others(search) {
  const all = [...search].filter(([key]) => !fields.includes(key) && key !== "cursor" && key !== "limit");
  return all.length > 0 && el("p", {}, "Only: ", all.map(([key, value]) =>
    [el("span", { class: "mark" }, `${key} `, name(value)), " ", link("findings", [...search].filter(([k, v]) => k !== "cursor" && (k !== key || v !== value)), `leave ${key} out`), " "]).flat());
}

// tail makes the button that follows new findings. While it pauses nothing is kept: the server
// goes on behind the last id.
function tail(list, search, found, status) {
  const body = found.querySelector("tbody"), head = [...found.querySelectorAll("thead th")].map((th) => th.className || null);
  const seen = new Set(list.rows.map((row) => row.key));
  let after = list.live, source, retry, timer, fresh = 0, told = 0;
  const button = el("button", { class: "main", "aria-pressed": "false", click: () => (source || retry ? pause() : follow()) }, "Follow new ones");
  const tell = (words) => { if (status.textContent !== words) status.textContent = words; };

  function follow() {
    retry = 0;
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Pause";
    source = new EventSource(`${base}api/v1/live${query([...search, ["after", after]])}`);
    source.addEventListener("open", () => tell("Following."));
    source.addEventListener("row", (event) => add(event.lastEventId, JSON.parse(event.data)));
    source.addEventListener("at", (event) => (after = event.lastEventId || after));
    source.addEventListener("reset", again);
    source.addEventListener("error", lost);
    // A count at most every five seconds, or a screen reader would never be silent.
    clearInterval(timer);
    timer = setInterval(() => fresh !== told && tell(`${many((told = fresh), "new finding")} since you follow.`), 5000);
  }

  // again loads the list anew when the server does not know the place of the last id.
  async function again() {
    const now = await api("findings", search);
    after = now.live;
    now.rows.forEach((row) => seen.add(row.key));
    body.replaceChildren(...now.rows.map((row) => line(cells(row), head)));
  }

  // lost waits for the browser to connect again, or does so itself where the browser gives up.
  async function lost() {
    tell("The connection is lost; trying again.");
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    retry = setTimeout(follow, 2000);
    const session = await api("session").catch(() => null);
    if (session && !session.signed_in) location.reload();
  }

  function pause() {
    source?.close();
    clearTimeout(retry);
    clearInterval(timer);
    source = retry = null;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Follow new ones";
    tell("Paused. What comes now is shown when you go on.");
  }

  function add(id, row) {
    after = id || after;
    if (seen.has(row.key)) return;
    seen.add(row.key);
    if (seen.size > 10 * most) seen.delete(seen.values().next().value);
    body.querySelector("[colspan]")?.parentElement.remove(); // "nothing found"
    const tr = line(cells(row), head);
    tr.className = "fresh";
    tr.dataset.key = row.key;
    body.prepend(tr);
    if (body.rows.length > most) body.lastElementChild.remove();
    fresh++;
  }

  return button;
}

// one shows a single finding.
async function one(key) {
  const [boot, seq] = key.split(":");
  const of =  await api(`findings/${encodeURIComponent(boot)}/${encodeURIComponent(seq)}`);
  const { row, line: whole, gone } = of;
  const command = whole && `noecho explain --corpus train.jsonl --id ${whole.id} alerts.jsonl`;
  return { of,
    say: ["An answer to ", caller(row.caller), " had ", ...what(row), " of the training data; it was ", action(row), "."],
    body: [
      el("h2", {}, "Records"),
      table(row.record_count >= 16 ? "The first of 16 records or more that have this text" : "Records that have this text", ["@Record", "Dataset", "Labels", "Where it is kept"],
        row.records.map((r) => [record(r), plain(r.dataset), labels(r.labels), kept(r, "open") || "not configured"]), "The index does not name the records."),
      row.text && el("p", {}, link("findings", { text: row.text, since: "90d" }, "All findings of the same text")),
      gone ? el("p", {}, "The alert file is no longer on the disk.") : el("details", { class: "panel" }, el("summary", {}, "The whole line of the alert file"), members(whole)),
      command && el("h2", {}, "The text"),
      command && el("p", {}, "Somebody who may read the training files can show the passage in its record:"),
      command && el("pre", { tabindex: 0 }, quote(whole.id) ? command : ""),
    ] };
}

const members = (whole) => facts(Object.entries(whole).map(([key, value]) => [key, el("span", { class: "code" }, name(typeof value === "string" ? value : JSON.stringify(value)))]));
