// The parts that all pages are made of. Everything that a page shows becomes a text node:
// no string is ever read as markup.

export const base = "/console/";

// el makes an element. An attribute that is a function listens to the event of that name.
// Children are nodes or texts; null and false are left out.
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

const space = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(space, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

// plain makes characters visible that would be invisible or would turn the order of the
// others round: controls, and marks of format such as U+202E.
export const plain = (text) =>
  String(text ?? "").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

// name shows a text that somebody else chose, such as the id of a record.
export const name = (text) => el("bdi", {}, plain(text));

const numbers = new Intl.NumberFormat("en");

export const count = (n) => (n == null ? "no data" : numbers.format(n));

export const many = (n, one, more = one + "s") => (n == null ? "no data" : `${count(n)} ${n === 1 ? one : more}`);

// share is a part of a whole in percent; small parts keep two digits.
export function share(part, whole) {
  if (part == null || !whole) return "no data";
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.01) return "under 0.01 %";
  return `${numbers.format(+percent.toFixed(percent < 1 ? 2 : percent < 10 ? 1 : 0))} %`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n) => String(n).padStart(2, "0");

export const clock = (when) => `${two(when.getUTCHours())}:${two(when.getUTCMinutes())}`;
export const day = (when) => `${when.getUTCDate()} ${months[when.getUTCMonth()]}`;

// moment shows a point in time, in UTC.
export function moment(when) {
  if (!when) return "no data";
  const t = new Date(when);
  return el("time", { datetime: when, title: when }, `${day(t)} ${clock(t)}:${two(t.getUTCSeconds())}`);
}

export function size(bytes) {
  if (bytes == null) return "no data";
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let at = 0;
  for (; bytes >= 1000 && at < units.length - 1; at++) bytes /= 1000;
  return `${numbers.format(+bytes.toFixed(at && bytes < 10 ? 1 : 0))} ${units[at]}`;
}

export function span(seconds) {
  if (seconds == null) return "no data";
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return many(Math.round(minutes / 1440), "day");
}

// search makes the query of an address from members or pairs, without those that are empty.
export function search(query) {
  const pairs = [...new URLSearchParams(query)].filter(([, value]) => value !== "" && value !== "undefined");
  return pairs.length ? "?" + new URLSearchParams(pairs) : "";
}

// to is the address of another page with its filters.
export const to = (page, filters = {}) => base + page + search(filters);

export const link = (page, filters, ...children) => el("a", { href: to(page, filters) }, ...children);

// table makes a table in a frame that scrolls sideways by itself. A column is a name, with "#"
// before it if the column has numbers, and "@" if it has long names.
export function table(caption, columns, rows, none = "Nothing in this time.") {
  const kind = columns.map((c) => ({ "#": "number", "@": "place" })[c[0]] ?? null);
  const body = el("tbody", {}, rows.map((cells) => line(cells, kind)));
  if (!rows.length) body.append(el("tr", {}, el("td", { colspan: columns.length, class: "soft" }, none)));
  return el("div", { class: "wide", role: "region", tabindex: 0, "aria-label": caption },
    el("table", {},
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, columns.map((c, i) => el("th", { scope: "col", class: kind[i] }, c.replace(/^[#@]/, ""))))),
      body));
}

// line makes a row of a table; its first cell names it.
export const line = (cells, kind) =>
  el("tr", {}, cells.map((cell, i) => el(i ? "td" : "th", { scope: i ? null : "row", class: kind[i] }, ...[cell].flat())));

// pager makes the links to the rows before and after those that a page shows.
export function pager(page, search, { rows, total }) {
  const offset = Number(search.get("offset") ?? 0);
  const at = (n, words) => el("a", { class: "button", href: to(page, [...[...search].filter(([key]) => key !== "offset"), ["offset", n || ""]]) }, words);
  if (total <= rows.length) return null;
  return el("div", { class: "row" }, offset > 0 && at(Math.max(0, offset - 50), "Before"), offset + rows.length < total && at(offset + rows.length, "After"),
    el("span", { class: "soft" }, `${count(offset + 1)} to ${count(offset + rows.length)} of ${count(total)}`));
}

// facts makes a list of names and their values.
export const facts = (pairs) => el("dl", {}, pairs.flatMap(([key, ...value]) => [el("dt", {}, key), el("dd", {}, ...value)]));

// periods are the times that a page can look back over.
const periods = [["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"], ["90d", "90 days"]];

export const last = (since) => `the last ${periods.find(([value]) => value === since)?.[1] ?? since}`;

export const period = (since) => choice("since", "Look back", periods.some(([value]) => value === since) ? periods : [[since, "since " + since], ...periods], since);

// filters makes a form whose fields become the query of the address, with those filters of it that
// the form has no field for. Fields that are empty stay out.
export function filters(label, search, ...fields) {
  const form = el("form", { "aria-label": label }, fields, el("button", { class: "main" }, "Show"));
  const own = new Set([...form.elements].map((e) => e.name));
  for (const [key, value] of search) {
    if (!own.has(key) && key !== "cursor" && key !== "offset") form.append(el("input", { type: "hidden", name: key, value }));
  }
  form.addEventListener("formdata", ({ formData }) => {
    for (const [key, value] of [...formData]) if (value === "") formData.delete(key);
  });
  return form;
}

// choice makes a labelled list to choose from: pairs of value and words.
export function choice(id, label, options, chosen) {
  return el("div", {}, el("label", { for: id }, label),
    el("select", { id, name: id }, options.map(([value, words]) => el("option", { value, selected: value === chosen }, words))));
}

export function field(id, label, attributes = {}) {
  return el("div", { class: attributes.class }, el("label", { for: id }, label), el("input", { id, name: id, ...attributes, class: null }));
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// api asks the server. If the session has ended, the page begins anew and asks to sign in.
export async function api(path, query = {}, body = undefined) {
  const address = `${base}api/v1/${path}${search(query)}`;
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(address, options);
  if (answer.status === 401) {
    location.reload();
    return new Promise(() => {}); // the page is going away
  }
  if (!answer.ok) throw new Refused(answer.status, (await answer.json().catch(() => ({}))).error ?? `The server answered ${answer.status}.`);
  return answer.headers.get("Content-Type").startsWith("application/json") ? answer.json() : answer.text();
}

// ask runs a form and shows in a place what comes of it, or why the server refused.
export function ask(form, place, run) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    place.replaceChildren("…");
    try {
      place.replaceChildren(...[await run()].flat().filter(Boolean));
    } catch (err) {
      if (!(err instanceof Refused)) throw err;
      place.replaceChildren(el("p", { class: "warn" }, err.message));
    }
  });
}

// save hands out a text as a file.
export function save(file, text, type = "text/plain") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
