"use strict";
// Forms with data-into put their answer into the page; the pages work without this script.

async function fragment(url, options) {
  const response = await fetch(url, {...options, headers: {"X-Fragment": "true"}});
  const type = response.headers.get("content-type") || "";
  if (!type.startsWith("text/html")) {
    const problem = await response.json();
    throw new Error(problem.detail);
  }
  return response.text();
}

function say(target, message) {
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.setAttribute("role", "alert");
  notice.textContent = message;
  target.replaceChildren(notice);
}

// The server sends places (in code points), never the text: only this page has that.
function mark(target, text) {
  const section = target.querySelector("[data-marks]");
  if (!section || !text) return;
  const points = Array.from(text);
  const marks = JSON.parse(section.dataset.marks).filter(m => m.end <= points.length);
  if (!marks.length) return;
  const edges = [...new Set([0, points.length, ...marks.flatMap(m => [m.start, m.end])])].sort((a, b) => a - b);
  const place = section.querySelector(".marked");
  for (let i = 0; i + 1 < edges.length; i++) {
    const piece = points.slice(edges[i], edges[i + 1]).join("");
    const over = marks.filter(m => m.start <= edges[i] && m.end >= edges[i + 1]);
    if (!over.length) {
      place.append(piece);
      continue;
    }
    const element = document.createElement("mark");
    element.className = "severity-" + Math.max(...over.map(m => m.severity));
    element.title = [...new Set(over.map(m => m.label))].join("\n");
    element.textContent = piece;
    place.append(element);
  }
  section.hidden = false;
}

let latest = 0;

async function submit(form) {
  const target = document.querySelector(form.dataset.into);
  const asked = ++latest;
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) fields.append(name, value);
  const area = form.querySelector("textarea");
  if (area) fields.set(area.name, area.value); // as typed: form encoding would turn line ends into CR LF
  const get = form.method === "get";
  form.setAttribute("aria-busy", "true");
  try {
    const html = await fragment(get ? form.action + "?" + fields : form.action, get ? {} : {method: "POST", body: fields});
    if (asked !== latest) return;
    target.innerHTML = html;
    mark(target, area && area.value);
    if (!get) target.scrollIntoView({behavior: "smooth", block: "start"});
  } catch (error) {
    if (asked === latest) say(target, error.message || "The console does not answer.");
  } finally {
    form.removeAttribute("aria-busy");
  }
}

for (const form of document.querySelectorAll("form[data-into]")) {
  form.addEventListener("submit", event => {
    event.preventDefault();
    submit(form);
  });
  if ("live" in form.dataset) {
    let timer;
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => submit(form), 150);
    });
  }
}

for (const part of document.querySelectorAll("[data-refresh]")) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      part.innerHTML = await fragment(location.pathname, {});
    } catch {
      // The next round may find the server again; until then the page keeps what it has.
    }
  }, 1000 * part.dataset.refresh);
}
