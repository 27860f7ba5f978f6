// SPDX-License-Identifier: Apache-2.0
// Run inside a page by the browser tests: what a visitor with a keyboard, a screen reader or weak eyes would stumble over.
() => {
  const found = [];
  const seen = new Set();
  for (const { id } of document.querySelectorAll("[id]")) {
    if (seen.has(id)) found.push(`id ${id} is there twice`);
    seen.add(id);
  }
  if (document.querySelectorAll("h1").length !== 1) found.push(`${document.querySelectorAll("h1").length} h1`);
  if (!document.documentElement.lang) found.push("no language");
  for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea, audio")) {
    const name = control.labels?.length || control.getAttribute("aria-label") || control.getAttribute("aria-labelledby");
    if (!name) found.push(`no label: ${control.outerHTML.slice(0, 120)}`);
  }
  for (const control of document.querySelectorAll("a[href], button, summary")) {
    const name = control.textContent.trim() || control.getAttribute("aria-label") || control.querySelector("[aria-label]");
    if (!name) found.push(`no name: ${control.outerHTML.slice(0, 120)}`);
  }
  for (const part of document.querySelectorAll("[aria-describedby], [aria-controls]")) {
    const target = part.getAttribute("aria-describedby") ?? part.getAttribute("aria-controls");
    if (!document.getElementById(target)) found.push(`points at nothing: ${target}`);
  }
  for (const styled of document.querySelectorAll("[style]")) found.push(`inline style: ${styled.outerHTML.slice(0, 80)}`);
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the window by ${document.documentElement.scrollWidth - innerWidth}px`);
  for (const wrap of document.querySelectorAll(".table-wrap"))
    if (wrap.scrollWidth > wrap.clientWidth) found.push(`a table is cut by ${wrap.scrollWidth - wrap.clientWidth}px: ${wrap.textContent.trim().slice(0, 40)}`);

  // contrast of every text against the background behind it (WCAG 2, AA)
  const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = new Set();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true }) || element.closest("svg, [disabled], iframe")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5)) poor.add(`contrast ${ratio.toFixed(2)}: ${element.tagName}.${element.className} “${texts.currentNode.data.trim().slice(0, 30)}”`);
  }
  return [...found, ...poor];
}
