// SPDX-License-Identifier: Apache-2.0
// What every page of the cabinet needs: the drawer on phones, the tree, copying, forms. No framework; pages work without it, less comfortably.

const body = document.body;

// drawer ------------------------------------------------------------------------------------------------------------
const opener = document.querySelector("[data-drawer]");
function drawer(open) {
  body.classList.toggle("side-open", open);
  opener?.setAttribute("aria-expanded", String(open));
  if (open) document.querySelector("#side a")?.focus();
  else if (document.activeElement?.closest("#side")) opener?.focus();
}
opener?.addEventListener("click", () => drawer(!body.classList.contains("side-open")));
document.querySelector("[data-drawer-close]")?.addEventListener("click", () => drawer(false));

// menus (details) close by Escape and by a click elsewhere -------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (body.classList.contains("side-open")) drawer(false);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// tree: what is folded stays folded ------------------------------------------------------------------------------------
const FOLDED = "vats-folded";
function folded() {
  try {
    return new Set(JSON.parse(localStorage.getItem(FOLDED) ?? "[]"));
  } catch {
    return new Set();
  }
}
function fold(button, closed) {
  button.setAttribute("aria-expanded", String(!closed));
  const list = button.closest("li")?.querySelector(":scope > ul");
  if (list) list.hidden = closed;
}
const closedAtStart = folded();
for (const button of document.querySelectorAll("[data-toggle]")) {
  const holdsCurrent = button.closest("li").querySelector(":scope > ul [aria-current]");
  if (closedAtStart.has(button.dataset.toggle) && !holdsCurrent) fold(button, true);
  button.addEventListener("click", () => {
    const now = folded();
    const close = button.getAttribute("aria-expanded") === "true";
    fold(button, close);
    close ? now.add(button.dataset.toggle) : now.delete(button.dataset.toggle);
    localStorage.setItem(FOLDED, JSON.stringify([...now]));
  });
}
document.querySelector("#side [aria-current]")?.scrollIntoView({ block: "nearest" });

// tree: a user dragged to another group (2.1.3.3) ----------------------------------------------------------------------
const tree = document.querySelector("[data-tree]");
if (tree?.dataset.move) {
  let dragged = null;
  tree.addEventListener("dragstart", (event) => {
    const link = event.target.closest("[data-user]");
    if (!link) return;
    dragged = { user: link.dataset.user, from: link.closest("ul").closest("li")?.querySelector("[data-drop]")?.dataset.drop ?? "" };
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", link.textContent.trim());
  });
  const rowOf = (event) => event.target.closest?.("[data-drop]");
  tree.addEventListener("dragover", (event) => {
    const row = rowOf(event);
    if (!dragged || !row || row.dataset.drop === dragged.from) return;
    event.preventDefault();
    row.classList.add("drop");
  });
  tree.addEventListener("dragleave", (event) => rowOf(event)?.classList.remove("drop"));
  tree.addEventListener("dragend", () => {
    dragged = null;
    for (const row of tree.querySelectorAll(".drop")) row.classList.remove("drop");
  });
  tree.addEventListener("drop", (event) => {
    const row = rowOf(event);
    if (!dragged || !row) return;
    event.preventDefault();
    send(tree.dataset.move, { user: dragged.user, source: dragged.from, to: row.dataset.drop });
  });
}

// Posts fields as a form would, so that the answer is an ordinary page.
function send(url, fields) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  form.hidden = true;
  for (const [name, value] of Object.entries({ csrf: document.querySelector("meta[name=csrf]")?.content ?? "", ...fields })) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    form.append(input);
  }
  body.append(form);
  form.submit();
}

// small things ---------------------------------------------------------------------------------------------------------
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    try {
      await navigator.clipboard.writeText(copy.dataset.copy);
      const before = copy.textContent;
      copy.textContent = copy.dataset.copied;
      setTimeout(() => (copy.textContent = before), 1500);
    } catch {
      getSelection()?.selectAllChildren(copy.parentElement.querySelector("code"));
    }
  }
  const show = event.target.closest("[data-show]");
  if (show) {
    const input = document.getElementById(show.dataset.show);
    input.type = input.type === "password" ? "text" : "password";
    show.setAttribute("aria-pressed", String(input.type === "text"));
  }
});

// fields that matter only while another has a certain value: data-when="kind=sip"
function applyWhen(form) {
  for (const part of form.querySelectorAll("[data-when]")) {
    const [name, wanted] = part.dataset.when.split("=");
    const input = form.elements[name];
    const value = input?.type === "checkbox" ? (input.checked ? "1" : "") : (input?.value ?? "");
    part.hidden = !wanted.split("|").includes(value);
  }
}
for (const form of document.querySelectorAll("form")) {
  if (form.querySelector("[data-when]")) {
    applyWhen(form);
    form.addEventListener("input", () => applyWhen(form));
  }
  if (form.matches("[data-auto]")) form.addEventListener("change", () => form.requestSubmit());
  // one click, one row: a second submit of the same page does nothing; an answer shown in a frame or kept as a file leaves the page
  form.addEventListener("submit", (event) => {
    if (form.method !== "post") return;
    const target = event.submitter?.formTarget || form.target;
    if (!form.dataset.sent && (form.matches("[data-stays]") || (target && target !== "_self"))) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
// “Check before saving” that takes more than a second says how far it is
let trial = 0;
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.trial || event.defaultPrevented) return;
  const place = document.createElement("span");
  place.className = "trial small muted";
  place.role = "status";
  clearInterval(trial);
  const began = Date.now();
  trial = setInterval(async () => {
    const answer = await fetch(button.dataset.trial, { headers: { Accept: "application/json" } }).catch(() => null);
    const { done, count } = answer?.ok ? await answer.json() : {};
    if (!count || Date.now() - began < 1000) return;
    place.textContent = button.dataset.told.replace("{done}", done).replace("{count}", count);
    if (!place.isConnected) button.after(place);
  }, 400);
});
addEventListener("pageshow", () => {
  clearInterval(trial);
  for (const place of document.querySelectorAll(".trial")) place.remove();
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
// a chosen option alone does not say which action it belongs to: show its group's title beside it
for (const place of document.querySelectorAll("[data-group-of]")) {
  const select = document.getElementById(place.dataset.groupOf);
  const tell = () => {
    const group = select.selectedOptions[0]?.closest("optgroup");
    place.textContent = group?.label ?? "";
  };
  select.addEventListener("change", tell);
  tell();
}
document.querySelector("[aria-invalid=true]")?.focus();
