// What pages do better with a script; everything works without it.
(() => {
  "use strict";
  const state = () => document.getElementById("live-state");

  // The connection to the server, in words. htmx tries again by itself, and sends the position that was seen last.
  const words = { live: "Live", lost: "Connection lost: what you see may be old. Trying again…", wait: "Connecting…" };
  let heard = Date.now();
  let announced = "";
  function tell(what) {
    const element = state();
    if (!element || announced === what) return;
    announced = what;
    element.dataset.state = what;
    element.textContent = words[what];
  }
  document.addEventListener("htmx:sse:after:connection", () => { heard = Date.now(); tell("live"); });
  document.addEventListener("htmx:sse:error", () => tell("lost"));
  document.addEventListener("htmx:sse:before:connection", (event) => { if (event.detail.connection.attempt > 1) tell("lost"); });
  document.addEventListener("htmx:sse:before:message", () => { heard = Date.now(); tell("live"); });

  // A page opens its connection when somebody looks at it: a browser keeps six to one server, and tabs that were opened in the
  // background would take them all. htmx closes it when the tab is left and opens it again; a first one that fails is tried again
  // here.
  const live = "[hx-sse\\:connect]";
  let asking = false;
  let failed = 0;
  function connect() {
    const source = document.querySelector(live);
    if (!source || document.hidden || asking || source._htmx?.sse || Date.now() - failed < 3000) return;
    source.dispatchEvent(new Event("seen"));
  }
  document.addEventListener("htmx:before:request", (event) => { if (event.target.matches?.(live)) asking = true; });
  document.addEventListener("htmx:finally:request", (event) => {
    if (!event.target.matches?.(live)) return;
    asking = false;
    if (!event.target._htmx?.sse) { failed = Date.now(); tell("lost"); }
  });
  document.addEventListener("htmx:after:process", connect);
  document.addEventListener("visibilitychange", () => { heard = Date.now(); connect(); });
  setInterval(connect, 1000);

  // The server says every five seconds that it is there. A connection that is silent for longer is dead, whatever the network says.
  setInterval(() => {
    const source = document.querySelector(live);
    if (!source || document.hidden || Date.now() - heard < 15000) return;
    tell("lost");
    heard = Date.now();
    source._htmx?.sse?.reader?.cancel();
  }, 1000);

  // A row or part that was changed by the server is shown so for a moment.
  document.addEventListener("htmx:sse:after:message", () => times());

  // Times: how long ago, kept current; and the local time as a tooltip, or instead of UTC where that is wanted.
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function span(seconds) {
    const parts = [];
    let rest = Math.max(0, Math.floor(seconds));
    for (const [size, name] of units) {
      if (rest >= size && parts.length < 2) { parts.push(`${Math.floor(rest / size)} ${name}`); rest %= size; }
      else if (parts.length) break;
    }
    return parts.join(" ") || "0 s";
  }
  const local = () => localStorage.getItem("times") === "local";
  const format = (date) => {
    const two = (number) => String(number).padStart(2, "0");
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  };
  function times() {
    for (const element of document.querySelectorAll("time[datetime]")) {
      const date = new Date(element.dateTime);
      if (Number.isNaN(date.valueOf())) continue;
      if (element.dataset.since !== undefined) element.textContent = span((Date.now() - date) / 1000);
      else if (element.dataset.until !== undefined) element.textContent = date > Date.now() ? `in ${span((date - Date.now()) / 1000)}` : "now";
      else if (element.classList.contains("moment")) {
        element.dataset.utc ??= element.textContent;
        element.textContent = local() ? format(date) : element.dataset.utc;
      }
      element.title = local() ? date.toISOString() : `${format(date)} local time`;
    }
    const button = document.getElementById("times");
    if (button) button.textContent = local() ? "Times: local" : "Times: UTC";
  }
  setInterval(times, 1000);

  // "Select all" of a list, and how many are selected.
  function selection(form) {
    const boxes = [...document.querySelectorAll(`input[name="id"][form="${form}"]`)];
    const count = boxes.filter((box) => box.checked).length;
    for (const element of document.querySelectorAll(`[data-count="${form}"]`)) element.textContent = `${count} selected`;
    const all = document.querySelector(`[data-all="${form}"]`);
    if (all) { all.checked = count > 0 && count === boxes.length; all.indeterminate = count > 0 && count < boxes.length; }
  }
  document.addEventListener("change", (event) => {
    const element = event.target;
    if (element.dataset.all) {
      for (const box of document.querySelectorAll(`input[name="id"][form="${element.dataset.all}"]`)) box.checked = element.checked;
      selection(element.dataset.all);
    } else if (element.name === "id" && element.getAttribute("form")) selection(element.getAttribute("form"));
    else if (element.matches("[data-submit]")) element.form.requestSubmit();
  });

  document.addEventListener("click", (event) => {
    const dead = event.target.closest("[aria-disabled=true]");
    if (dead) { event.preventDefault(); event.stopPropagation(); return; }
    if (event.target.closest("#times")) { localStorage.setItem("times", local() ? "utc" : "local"); times(); return; }
    // A suggestion fills its field.
    const suggestion = event.target.closest("[data-fill]");
    if (suggestion) {
      event.preventDefault();
      const field = document.getElementById(suggestion.dataset.fill);
      if (field) {
        field.value = suggestion.dataset.value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.dispatchEvent(new Event("change", { bubbles: true }));
        field.focus();
      }
    }
  }, true);

  // A form that is sent says so, and is sent once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) { delete form.dataset.sent; form.removeAttribute("aria-busy"); } });

  // An upload shows how far it is.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const bar = form.querySelector("progress[data-upload]");
    if (!bar || event.defaultPrevented) return;
    event.preventDefault();
    const request = new XMLHttpRequest();
    bar.hidden = false;
    request.upload.addEventListener("progress", (progress) => { if (progress.lengthComputable) { bar.max = progress.total; bar.value = progress.loaded; } });
    request.addEventListener("loadend", () => {
      delete form.dataset.sent;
      if (request.status >= 200 && request.status < 300) { location.assign(request.responseURL || location.href); return; }
      const page = new DOMParser().parseFromString(request.responseText || "", "text/html");
      const main = page.querySelector("main");
      if (main) { document.querySelector("main").replaceWith(main); document.querySelector("[role=alert]")?.focus(); }
      else { bar.hidden = true; const told = form.querySelector("[data-upload-problem]"); if (told) told.textContent = "The upload broke off; nothing was kept. Try again."; }
    });
    request.open(form.method, form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  });

  document.addEventListener("DOMContentLoaded", () => {
    times();
    for (const all of document.querySelectorAll("[data-all]")) selection(all.dataset.all);
    document.querySelector("[role=alert][tabindex]")?.focus();
    const button = document.getElementById("times");
    if (button) button.hidden = false;
    if (document.querySelector(live)) tell("wait");
  });
})();
