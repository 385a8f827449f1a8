// Bars of answers by hour, and the table of the same figures.
import { clock, count, day, el, span, svg, table } from "./lib.js";

const parts = [["redacted", "redacted"], ["blocked", "blocked"], ["passed", "passed to the caller"]];
const striped = "url(#stripes)";
const wide = 1000, high = 210, left = 40, top = 12, bottom = 24;

// chart draws hours, or days if step is one. Each has the answers with training data by what was
// done, or null where nothing is known.
export function chart(hours, step, label) {
  const name = (h) => (step < 86400 ? `${day(new Date(h.from))} ${clock(new Date(h.from))}` : day(new Date(h.from)));
  const most = Math.max(1, ...hours.map((h) => h.redacted + h.blocked + h.passed));
  const width = (wide - left) / hours.length;
  const y = (n) => high - bottom - ((high - bottom - top) * n) / most;
  const picture = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": label }, stripes());
  for (const n of new Set([0, Math.round(most / 2), most])) {
    picture.append(svg("line", { x1: left, x2: wide, y1: y(n), y2: y(n) }), svg("text", { x: left - 8, y: y(n) + 4, "text-anchor": "end" }, count(n)));
  }
  const every = Math.ceil(hours.length / 8);
  hours.forEach((hour, i) => {
    const t = new Date(hour.from), x = left + i * width;
    picture.append(bar(hour, name(hour), x, width, y));
    if (i % every === 0) picture.append(svg("text", { x, y: high - 6 }, step < 86400 ? clock(t) : day(t)));
  });
  return el("div", { class: "panel" },
    el("div", { class: "chart", role: "region", tabindex: 0, "aria-label": "Chart" }, picture),
    key(hours),
    el("details", {}, el("summary", {}, "The same figures as a table"),
      table(`Answers with training data by ${step < 86400 ? "hour" : "day"}, UTC`, ["From", "#Answers", ...parts.map(([, words]) => "#" + words), "#Without data"],
        hours.map((h) => [name(h), count(h.answers), ...parts.map(([part]) => count(h[part])), span(h.no_data_seconds)]))));
}

// bar draws one hour. A time of which nothing is known is striped, never an empty place.
function bar(hour, name, x, width, y) {
  const told = hour.state === "none" ? "no data" : parts.map(([part, words]) => `${count(hour[part])} ${words}`).join(", ");
  const group = svg("g", {}, svg("title", {}, `${name}: ${told}`));
  if (hour.state !== "data") {
    group.append(svg("rect", { fill: striped, class: hour.state === "none" ? null : "partly", x, width, y: top, height: high - bottom - top }));
  }
  const gap = Math.min(6, width / 4);
  let below = 0;
  for (const [part] of parts) {
    const from = y(below), to = y(below += hour[part]);
    if (hour[part]) group.append(svg("rect", { class: part, x: x + gap / 2, width: width - gap, y: to, height: from - to }));
  }
  return group;
}

const stripes = () =>
  svg("defs", {}, svg("pattern", { id: "stripes", width: 8, height: 8, patternUnits: "userSpaceOnUse" }, svg("path", { d: "M-2 10 10-2M-2 2 2-2M6 10l4-4" })));

// key says which colour is which.
function key(hours) {
  const box = (fill) => svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: fill, fill: fill === "absent" ? striped : null, width: 10, height: 10 }));
  const shown = hours.some((h) => h.state !== "data") ? [...parts, ["absent", "no data, for all of the time or a part of it"]] : parts;
  return el("ul", { class: "key" }, shown.map(([fill, words]) => el("li", {}, box(fill), words)));
}
