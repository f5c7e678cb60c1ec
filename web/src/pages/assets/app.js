// Improves pages with a script; everything works without it.
(() => {
  "use strict";
  const state = () => document.getElementById("live-state");

  // Shows the state of the connection to the server. htmx reconnects by itself, and sends the last position that it received.
  const words = { live: "Live", lost: "Connection lost. This page may be out of date. Reconnecting…", wait: "Connecting…" };
  let lastMessage = Date.now();
  let announced = "";
  function showState(what) {
    const element = state();
    if (!element || announced === what) return;
    announced = what;
    element.dataset.state = what;
    element.textContent = words[what];
  }
  document.addEventListener("htmx:sse:after:connection", () => { lastMessage = Date.now(); showState("live"); });
  document.addEventListener("htmx:sse:error", () => showState("lost"));
  document.addEventListener("htmx:sse:before:connection", (event) => { if (event.detail.connection.attempt > 1) showState("lost"); });
  document.addEventListener("htmx:sse:before:message", () => { lastMessage = Date.now(); showState("live"); });

  // A page opens its connection when it becomes visible: a browser keeps at most six connections to one server, and tabs that
  // were opened in the background would use them all. htmx closes the connection when the tab is hidden and opens it again; a
  // first connection that fails is retried here.
  const live = "[hx-sse\\:connect]";
  let connecting = false;
  let failed = 0;
  function connect() {
    const source = document.querySelector(live);
    if (!source || document.hidden || connecting || source._htmx?.sse || Date.now() - failed < 3000) return;
    source.dispatchEvent(new Event("seen"));
  }
  document.addEventListener("htmx:before:request", (event) => { if (event.target.matches?.(live)) connecting = true; });
  document.addEventListener("htmx:finally:request", (event) => {
    if (!event.target.matches?.(live)) return;
    connecting = false;
    if (!event.target._htmx?.sse) { failed = Date.now(); showState("lost"); }
  });
  document.addEventListener("htmx:after:process", connect);
  document.addEventListener("visibilitychange", () => { lastMessage = Date.now(); connect(); });
  setInterval(connect, 1000);

  // The server sends a sign of life every five seconds. A connection that is silent for much longer is dead, even if the network
  // reports no error.
  setInterval(() => {
    const source = document.querySelector(live);
    if (!source || document.hidden || Date.now() - lastMessage < 15000) return;
    showState("lost");
    lastMessage = Date.now();
    source._htmx?.sse?.reader?.cancel();
  }, 1000);

  // After a message from the server, updates the times in the elements that it replaced.
  document.addEventListener("htmx:sse:after:message", () => times());

  // The permanent link in the footer names the position of the last message, so that it leads to what the page shows.
  document.addEventListener("htmx:sse:after:message", (event) => {
    const link = document.getElementById("position");
    const position = event.detail.message?.id;
    if (!link || !/^\d+$/.test(position ?? "")) return;
    const path = new URL(link.href);
    path.searchParams.set("at", position);
    link.href = path.pathname + path.search;
    link.textContent = `As of event ${position}`;
  });

  // Times: keeps durations current, and shows the local time as a tooltip, or in place of UTC if the user has chosen that.
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
      // A list shows the exact time itself: with the pointer on it, or the focus in its row.
      if (element.dataset.exact !== undefined) {
        element.dataset.utcExact ??= element.dataset.exact;
        element.dataset.exact = local() ? `${format(date)} local time` : element.dataset.utcExact;
      } else element.title = local() ? date.toISOString() : `${format(date)} local time`;
    }
    const button = document.getElementById("times");
    if (button) button.textContent = local() ? "Times: local" : "Times: UTC";
  }
  setInterval(times, 1000);

  // "Select all" in a list, and the number of selected rows.
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

  // A menu of a list closes when its user goes on elsewhere.
  const closeMenus = (except) => { for (const menu of document.querySelectorAll("details.drop[open]")) if (!menu.contains(except)) menu.open = false; };
  document.addEventListener("focusin", (event) => closeMenus(event.target));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("details.drop[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    const dead = event.target.closest("[aria-disabled=true]");
    if (dead) { event.preventDefault(); event.stopPropagation(); return; }
    if (event.target.closest("#times")) { localStorage.setItem("times", local() ? "utc" : "local"); times(); return; }
    const dismissed = event.target.closest("[data-dismiss]");
    if (dismissed) { document.getElementById(dismissed.dataset.dismiss)?.remove(); return; }
    const copied = event.target.closest("[data-copy], [data-curl]");
    if (copied) { copy(copied); return; }
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

  // An editor has a number for each of its lines.
  document.addEventListener("input", (event) => {
    const numbers = event.target.dataset?.lines && document.getElementById(event.target.dataset.lines);
    if (!numbers) return;
    const count = Math.max(24, event.target.value.split("\n").length + 4);
    if (numbers.childElementCount === count) return;
    event.target.rows = count;
    numbers.replaceChildren(...Array.from({ length: count }, (_, index) => {
      const number = document.createElement("span");
      number.textContent = `${index + 1}\n`;
      return number;
    }));
  });
  // Copies a value, or the API call of this page. Without TLS, browsers offer only the old way.
  async function copy(button) {
    const path = button.dataset.curl;
    const text = path === undefined ? button.dataset.copy : `curl -H "Authorization: Bearer $TOKEN" '${location.origin}${path}'`;
    try { await navigator.clipboard.writeText(text); }
    catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const title = button.title;
    button.title = "Copied";
    button.dataset.copied = "";
    let status = document.getElementById("copy-status");
    if (!status) {
      status = document.createElement("p");
      status.id = "copy-status";
      status.className = "visually-hidden";
      status.setAttribute("role", "status");
      document.body.append(status);
    }
    status.textContent = "Copied";
    setTimeout(() => { button.title = title; delete button.dataset.copied; status.textContent = ""; }, 2000);
  }
  const showButtons = () => { for (const button of document.querySelectorAll("[data-copy][hidden], [data-curl][hidden], [data-dismiss][hidden]")) button.hidden = false; };
  document.addEventListener("htmx:sse:after:message", showButtons);
  // The clock closes with Escape, and when something else is clicked.
  const clock = () => document.querySelector("details.clock[open]");
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && clock();
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
  document.addEventListener("click", (event) => {
    const open = clock();
    if (open && !open.contains(event.target)) open.open = false;
  });

  // A form shows that it is being sent, and is sent only once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) { delete form.dataset.sent; form.removeAttribute("aria-busy"); } });

  // An upload shows its progress.
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
      else { bar.hidden = true; const problem = form.querySelector("[data-upload-problem]"); if (problem) problem.textContent = "The upload was interrupted. Nothing was saved. Upload the file again."; }
    });
    request.open(form.method, form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  });


  // Search: Ctrl-K, Cmd-K or "/" opens a dialog. The arrow keys choose a suggestion, Enter opens it; without a choice, Enter
  // shows all results.
  const quick = () => document.getElementById("quick");
  const quickOptions = () => [...document.querySelectorAll("#quick-list [role=option]")];
  function chooseQuick(option) {
    for (const other of quickOptions()) other.setAttribute("aria-selected", String(other === option));
    const field = document.getElementById("quick-q");
    if (option) { field.setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
    else field.removeAttribute("aria-activedescendant");
  }
  function closeQuick() { if (quick()?.open) quick().close(); }
  document.addEventListener("keydown", (event) => {
    const dialog = quick();
    if (!dialog || event.isComposing) return;
    const shortcut = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey
      && !event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
    if (shortcut || slash) {
      event.preventDefault();
      if (dialog.open) dialog.close();
      // Another dialog waits for an answer.
      else if (!document.querySelector("dialog[open]")) { dialog.showModal(); const field = document.getElementById("quick-q"); field.focus(); field.select(); }
      return;
    }
    if (event.target.id !== "quick-q") return;
    const all = quickOptions();
    const active = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && all.length) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      chooseQuick(all[active < 0 ? (step > 0 ? 0 : all.length - 1) : (active + step + all.length) % all.length]);
    } else if (event.key === "Enter" && active >= 0) { event.preventDefault(); all[active].click(); }
  });
  document.addEventListener("input", (event) => { if (event.target.id === "quick-q") chooseQuick(null); });
  document.addEventListener("click", (event) => { if (event.target.id === "quick") closeQuick(); });
  document.addEventListener("htmx:after:swap", () => {
    const field = document.getElementById("quick-q");
    if (!field) return;
    const count = quickOptions().length;
    field.setAttribute("aria-expanded", String(count > 0));
    const status = document.getElementById("quick-status");
    const words = count ? `${count} suggestions` : "";
    if (status && status.textContent !== words) status.textContent = words;
  });
  // A page that the browser brings back shows no dialog over it.
  addEventListener("pagehide", closeQuick);

  document.addEventListener("DOMContentLoaded", () => {
    times();
    showButtons();
    for (const all of document.querySelectorAll("[data-all]")) selection(all.dataset.all);
    document.querySelector("[role=alert][tabindex]")?.focus();
    const button = document.getElementById("times");
    if (button) button.hidden = false;
    if (document.querySelector(live)) showState("wait");
  });
})();
