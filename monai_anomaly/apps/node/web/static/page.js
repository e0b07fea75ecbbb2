// SPDX-FileCopyrightText: 2026 monai_anomaly contributors
// SPDX-License-Identifier: Apache-2.0

// The slider in place of three fixed mixtures, and the arrow keys in the worklist. Pages work without.
"use strict";

const map = document.querySelector(".stack .over");
const slide = document.querySelector(".slide");
if (map && slide) {
  const [input, output] = [slide.querySelector("input"), slide.querySelector("output")];
  const mix = () => {
    map.style.opacity = input.value / 100;
    output.value = `${input.value} %`;
    input.setAttribute("aria-valuetext", output.value);
  };
  document.querySelector(".mix").hidden = true;
  slide.hidden = false;
  input.addEventListener("input", mix);
  mix();
}

const links = [...document.querySelectorAll(".cases a.open")];
for (const [place, link] of links.entries()) {
  link.addEventListener("keydown", event => {
    const next = links[place + ({ ArrowDown: 1, ArrowUp: -1 }[event.key] || 0)];
    if (next && next !== link) {
      event.preventDefault();
      next.focus();
    }
  });
}
