// The workbench in the browser: keys, palette, live notices, and that nothing typed is lost.
// Pages work without it; every action is a link or a form.
"use strict";

const byId = (id) => document.getElementById(id);
const typing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
const store = {
  get(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  },
  set(key, value) {
    try { localStorage.setItem(key, value); } catch { /* storage may be off; the page works without */ }
  },
};
const words = document.body.dataset;

// ------------------------------------------------------------------ dialogs and menus

function open(dialog) {
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("[autofocus]")?.focus();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    event.preventDefault();
    open(byId(opener.dataset.opens));
    return;
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog, .announce-item")?.[
    event.target.closest("dialog") ? "close" : "remove"
  ]();
  if (event.target.matches("dialog")) event.target.close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
  if (event.target.id === "keys-off") store.set("tibs-keys", event.target.checked ? "off" : "on");
  if (event.target.name === "theme" && event.target.closest("#theme")) {
    const theme = event.target.value;
    if (theme === "auto") document.documentElement.removeAttribute("data-bs-theme");
    else document.documentElement.dataset.bsTheme = theme;
    document.cookie = `tibs-theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  }
});

// ------------------------------------------------------------------ keys

let prefix = "";
let prefixTimer = 0;

function rows() {
  return [...document.querySelectorAll("main .row-item")].filter((row) => row.offsetParent !== null);
}

function move(step) {
  const all = rows();
  if (!all.length) return;
  const now = all.findIndex((row) => row.classList.contains("is-current"));
  const next = Math.min(all.length - 1, Math.max(0, now + step));
  all[now]?.classList.remove("is-current");
  all[next].classList.add("is-current");
  const link = all[next].querySelector("a, button");
  link?.focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
}

function press(key) {
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!target || target.offsetParent === null) return false;
  target.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (byId("palette")) open(byId("palette"));
    return;
  }
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target.form) {
    event.preventDefault();
    const form = event.target.form;
    form.requestSubmit(form.querySelector(".btn-primary[type=submit]") ?? undefined);
    return;
  }
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (document.querySelector("dialog[open]") || store.get("tibs-keys") === "off") return;
  if (prefix === "g") {
    prefix = "";
    const link = document.querySelector(`[data-goto="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      location.assign(link.href);
    }
    return;
  }
  if (event.key === "g") {
    prefix = "g";
    clearTimeout(prefixTimer);
    prefixTimer = setTimeout(() => { prefix = ""; }, 1200);
  } else if (event.key === "/") {
    event.preventDefault();
    open(byId("palette"));
  } else if (event.key === "?") {
    open(byId("keys"));
  } else if (event.key === "j") {
    move(1);
  } else if (event.key === "k") {
    move(-1);
  } else if (press(event.key)) {
    event.preventDefault();
  }
});

// ------------------------------------------------------------------ palette

const palette = byId("palette");
if (palette) {
  const input = palette.querySelector("input");
  const items = () => [...palette.querySelectorAll(".menu-item")].filter((item) => !item.hidden);
  const filter = () => {
    const wanted = input.value.trim().toLowerCase();
    for (const item of palette.querySelectorAll("[data-command]")) {
      item.hidden = wanted !== "" && !item.textContent.toLowerCase().includes(wanted);
    }
    mark(0);
  };
  const mark = (index) => {
    const all = items();
    all.forEach((item, at) => item.classList.toggle("is-current", at === index));
    all[index]?.scrollIntoView({ block: "nearest" });
  };
  input.addEventListener("input", filter);
  palette.addEventListener("htmx:afterSwap", () => mark(0));
  input.addEventListener("keydown", (event) => {
    const all = items();
    const now = all.findIndex((item) => item.classList.contains("is-current"));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark(Math.min(all.length - 1, Math.max(0, now + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Escape") {
      palette.close(); // a search field would only empty itself
    } else if (event.key === "Enter" && all.length) {
      event.preventDefault();
      all[Math.max(0, now)].click();
    }
  });
  mark(0);
}

// ------------------------------------------------------------------ nothing typed is lost

const draftKey = (form) => `tibs-draft:${form.dataset.draft}`;
const drafts = {
  read(key) {
    try { return JSON.parse(sessionStorage.getItem(key) ?? "null"); } catch { return null; }
  },
  write(key, value) {
    try {
      if (value === null) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, JSON.stringify(value));
    } catch { /* a full or closed storage must not stop anybody from typing */ }
  },
};

function fields(form) {
  return [...form.elements].filter((field) => field.name && !field.name.startsWith("_") &&
    !["hidden", "submit", "button", "file", "password"].includes(field.type));
}

function values(form) {
  return fields(form).map((field) => [field.name, field.value,
    field.type === "checkbox" || field.type === "radio" ? field.checked
      : field.multiple ? [...field.options].map((option) => option.selected) : null]);
}

function fill(form, held) {
  const all = fields(form);
  held.forEach(([name, value, state], index) => {
    const field = all[index];
    if (!field || field.name !== name) return;
    if (typeof state === "boolean") {
      if (field.value === value) field.checked = state;
    } else if (Array.isArray(state)) {
      [...field.options].forEach((option, at) => { option.selected = state[at] ?? false; });
    } else field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

const sent = drafts.read("tibs-sent");
drafts.write("tibs-sent", null);
for (const form of document.querySelectorAll("form[data-draft]")) {
  const key = draftKey(form);
  const refused = "refused" in form.dataset;
  if (sent === key && !refused) drafts.write(key, null);
  const held = drafts.read(key);
  const fresh = JSON.stringify(values(form));
  const kept = form.querySelector(".kept");
  const clock = () => new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  if (held && !refused && JSON.stringify(held.values) !== fresh) {
    const before = values(form);
    fill(form, held.values);
    if (kept) {
      kept.textContent = `${words.restored} ${held.at}. `;
      const undo = document.createElement("button");
      undo.type = "button";
      undo.className = "btn btn-quiet btn-small";
      undo.textContent = words.discard;
      undo.addEventListener("click", () => {
        fill(form, before);
        drafts.write(key, null);
        kept.textContent = "";
      });
      kept.append(undo);
    }
  }
  let timer = 0;
  form.addEventListener("input", (event) => {
    if (!event.isTrusted) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const at = clock();
      drafts.write(key, { at, values: values(form) });
      if (kept) kept.textContent = `${words.keptHere} ${at}`;
    }, 400);
  });
  form.addEventListener("submit", () => {
    clearTimeout(timer);
    drafts.write(key, { at: clock(), values: values(form) });
    // The page that comes next decides: a refused form comes back with what was typed, any other page means it is saved.
    drafts.write("tibs-sent", key);
  });
}
if (sent && !document.querySelector("form[data-refused]") && !document.body.dataset.gate) drafts.write(sent, null);

byId("sign-out")?.addEventListener("submit", () => {
  for (const key of Object.keys(sessionStorage)) {
    if (key.startsWith("tibs-draft:")) drafts.write(key, null);
  }
});

// Fields that only make sense for some choice of another field.
function reveal(control) {
  for (const part of document.querySelectorAll(`[data-shown-for^="${CSS.escape(control.name)}="]`)) {
    const wanted = part.dataset.shownFor.slice(control.name.length + 1).split(",");
    const radio = control.type === "radio";
    const chosen = radio ? control.form.querySelector(`[name="${CSS.escape(control.name)}"]:checked`) : control;
    part.hidden = !wanted.includes(chosen?.value);
  }
}
for (const control of document.querySelectorAll("[data-reveals]")) {
  reveal(control);
  control.addEventListener("change", () => reveal(control));
}

// Length counters, and what is chosen inside a folded list.
document.addEventListener("input", (event) => {
  const counter = event.target.id && document.querySelector(`[data-counts="${CSS.escape(event.target.id)}"]`);
  if (counter) counter.textContent = `${event.target.value.length} / ${event.target.maxLength}`;
});
for (const list of document.querySelectorAll("details.picked")) {
  const told = list.querySelector("[data-chosen]");
  const tell = () => {
    const names = [...list.querySelectorAll("input:checked")].map((box) => box.parentElement.textContent.trim());
    told.textContent = names.length ? names.join(", ") : told.dataset.chosen;
  };
  list.addEventListener("change", tell);
  tell();
}

// A form is sent once: a second click while the first is on its way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sending) {
    event.preventDefault();
    return;
  }
  form.dataset.sending = "1";
  byId("progress")?.classList.add("is-on");
  for (const button of form.querySelectorAll("[type=submit]")) button.setAttribute("aria-disabled", "true");
});
addEventListener("pageshow", () => {
  byId("progress")?.classList.remove("is-on");
  for (const form of document.querySelectorAll("form[data-sending]")) {
    delete form.dataset.sending;
    for (const button of form.querySelectorAll("[type=submit]")) button.removeAttribute("aria-disabled");
  }
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !link.target &&
      link.origin === location.origin && link.pathname !== location.pathname) byId("progress")?.classList.add("is-on");
});

// ------------------------------------------------------------------ live notices announce, they never move the page

function announce(text, href) {
  const spoken = byId("announce");
  if (!spoken || spoken.querySelector(`a[href="${CSS.escape(href)}"]`)) return;
  const item = document.createElement("div");
  item.className = "announce-item";
  const told = document.createElement("span");
  told.textContent = text;
  const link = document.createElement("a");
  link.href = href;
  link.textContent = words.show;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "top-button";
  close.dataset.closes = "";
  close.setAttribute("aria-label", words.close);
  close.textContent = "×";
  item.append(told, link, close);
  spoken.append(item);
}

document.body.addEventListener("htmx:sseMessage", (event) => {
  if (event.detail.type === "notice" && event.detail.data === "new") announce(words.newNotice, "/notices");
  if (event.detail.type === "network" && byId("lines")) htmx.trigger("#lines", "refresh");
  if (event.detail.type === "changed") announce(words.changed, location.pathname + location.search);
});

// The match whose comparison is shown beside the list.
document.addEventListener("click", (event) => {
  const row = event.target.closest(".match-item");
  if (!row) return;
  for (const other of document.querySelectorAll(".match-item.is-current")) other.classList.remove("is-current");
  row.classList.add("is-current");
});
document.addEventListener("htmx:afterSettle", (event) => {
  const shown = event.target.id === "compare" && event.target.getBoundingClientRect();
  if (shown && shown.top > innerHeight - 160) event.target.scrollIntoView({ block: "start" });
});

const off = byId("keys-off");
if (off) off.checked = store.get("tibs-keys") === "off";

const wrong = byId("error-summary");
if (wrong) wrong.focus();
