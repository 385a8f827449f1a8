// The frame of all pages: it asks who is there, shows the page that the address names, and
// says how far back the figures go.
import { api, base, el, field, link, many, moment, plain, Refused, to } from "./lib.js";

const pages = [
  ["overview", "Overview"], ["findings", "Findings"], ["records", "Records"], ["callers", "Callers"], ["lookup", "Look up"],
  ["whatif", "What if"], ["tuning", "Tuning"], ["coverage", "Coverage"], ["evidence", "Evidence"],
];

const $ = (id) => document.getElementById(id);

// show fills the page: a title, one sentence, and what comes after it.
function show(title, say, ...body) {
  document.title = `${title} · noecho`;
  $("title").textContent = title;
  $("say").replaceChildren(...[say].flat());
  $("page").replaceChildren(...body.flat().filter(Boolean));
}

async function start() {
  const session = await api("session");
  if (!session.signed_in) return signIn(session);
  const at = location.pathname.slice(base.length);
  const [page, title] = pages.find(([name]) => name === at) ?? pages[0];
  frame(page, session);
  const { default: make } = await import(`./${page}.js`);
  const query = Object.fromEntries(new URLSearchParams(location.search));
  try {
    const made = await make({ query, session, search: new URLSearchParams(location.search) });
    show(title, silent(made.of) ? "Nothing is known of this time: there is no line of an alert file from it." : made.say, ...made.body);
    tell(made.of?.known);
  } catch (err) {
    if (!(err instanceof Refused)) throw err;
    show(title, err.message, err.status === 503 ? el("p", { class: "soft" }, "This page asks again by itself.") : el("p", {}, link(page, {}, "Show this page without filters")));
    if (err.status === 503) setTimeout(() => location.reload(), 2000);
  }
}

function frame(page, session) {
  $("pages").replaceChildren(el("ul", {}, pages.map(([name, title]) => el("li", {}, el("a", { href: to(name), "aria-current": name === page ? "page" : null }, title)))));
  $("pages").hidden = false;
  const out = session.via === "token" && el("button", { click: signOut }, "Sign out");
  $("who").replaceChildren(...[`${many(session.instances, "instance")} · times in UTC`, session.user && ` · ${session.user}`, out && " ", out].filter(Boolean));
}

// silent reports whether nothing is known of a time: its figures are no data, and not zero.
const silent = (of) => of && (!of.known.until || of.known.until < of.from);

// tell says what the figures are made of, so that nobody takes silence for a good sign.
function tell(known) {
  if (!known) return;
  const parts = [];
  if (known.note) parts.push(known.note + ".");
  if (known.loading) parts.push(`The alert files are still being read: ${known.loaded} %.`);
  if (known.rows_since) parts.push("Single findings are known since ", moment(known.rows_since), ", sums since ", moment(known.sums_since ?? known.rows_since), ", the newest line is of ", moment(known.until), ".");
  else parts.push("No alert line is known yet.");
  if (known.forgotten) parts.push(` ${many(known.forgotten, "older finding is", "older findings are")} only in the sums.`);
  if (known.missing) parts.push(el("span", { class: "warn" }, ` ${many(known.missing, "alert line is", "alert lines are")} missing.`));
  if (known.other) parts.push(` ${many(known.other, "line is no alert", "lines are no alerts")}.`);
  if (known.tests) parts.push(` ${many(known.tests, "line of noecho alerts test is", "lines of noecho alerts test are")} left out.`);
  if (known.skipped.length) parts.push(` Not read, since their lines are no alerts: ${known.skipped.map(plain).join(", ")}.`);
  $("known").replaceChildren(...parts);
}

function signIn(session) {
  if (session.user) return show("Sign in", `None of the groups of ${plain(session.user)} may see the console.`);
  if (session.closed) return show("Sign in", `Nobody can sign in: ${session.closed}.`);
  const problem = el("p", { id: "problem", role: "alert", class: "warn" });
  const form = el("form", {},
    field("token", "Token", { type: "password", required: true, autocomplete: "current-password", "aria-describedby": "problem", size: 34 }),
    el("button", { class: "main" }, "Sign in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const answer = await fetch(base + "api/v1/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token: form.token.value }) });
    if (answer.ok) return location.reload();
    problem.textContent = (await answer.json().catch(() => ({}))).error ?? "The server refused the token.";
    form.token.select();
  });
  show("Sign in", "Type the token of the admin plane to see the alerts of noecho.", form, problem);
  form.token.focus();
}

async function signOut() {
  await fetch(base + "api/v1/logout", { method: "POST", headers: { "Content-Type": "application/json" } });
  location.assign(base);
}

addEventListener("unhandledrejection", (event) => show("Something went wrong", `The page failed: ${event.reason?.message ?? event.reason}. Load it again; if it fails again, the server may be down.`));
start();
