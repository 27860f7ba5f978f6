// SPDX-License-Identifier: Apache-2.0
// Comfort around the browser's own player: speed, jumps of five seconds, and places of the timeline that can be listened to.

for (const player of document.querySelectorAll("[data-player]")) {
  const audio = player.querySelector("audio");
  for (const button of player.querySelectorAll("[data-speed]")) {
    button.addEventListener("click", () => {
      audio.playbackRate = Number(button.dataset.speed);
      for (const other of player.querySelectorAll("[data-speed]")) other.setAttribute("aria-pressed", String(other === button));
    });
  }
  for (const button of player.querySelectorAll("[data-jump]")) {
    button.addEventListener("click", () => {
      audio.currentTime = Math.max(0, audio.currentTime + Number(button.dataset.jump));
    });
  }
}
