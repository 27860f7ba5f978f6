// SPDX-License-Identifier: Apache-2.0
// Parts of a page that follow the server: <div data-stream="/live/stream"> gets its content from a stream of events.

for (const place of document.querySelectorAll("[data-stream]")) {
  let source = null;
  const state = document.querySelector("[data-stream-state]");
  const connect = () => {
    source = new EventSource(place.dataset.stream);
    source.addEventListener("content", (event) => {
      place.innerHTML = event.data; // made by our own templates, escaped there
      state?.classList.add("good");
      tick();
    });
    source.addEventListener("bye", () => {
      source.close();
      location.reload(); // the session has ended
    });
    source.onerror = () => state?.classList.remove("good"); // the browser reconnects by itself
  };
  // a hidden tab keeps no connection open
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source?.close();
    else connect();
  });
  if (!document.hidden) connect();
}

// running times: <time data-since="2026-01-01T00:00:00Z">
function tick() {
  for (const clock of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(clock.dataset.since)) / 1000));
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const text = (parts[0] ? parts : parts.slice(1)).map((n, i) => (i ? String(n).padStart(2, "0") : n)).join(":");
    if (clock.textContent !== text) clock.textContent = text;
  }
}
setInterval(tick, 1000);
tick();
