"use strict";
// Search boxes: a row stays where its name contains all words that were typed.
for (const box of document.querySelectorAll(".search")) {
  const input = box.querySelector("input"), count = box.querySelector("output");
  const rows = [...document.querySelectorAll(`#${input.dataset.table} tbody tr`)];
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const name = row.cells[0].textContent.toLowerCase();
      row.hidden = !words.every((word) => name.includes(word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length}`;
  };
  input.addEventListener("input", filter);
  box.hidden = false;
  filter();
}
// Lists beside images: the pair under the pointer, or with the focus, is drawn alone.
for (const shot of document.querySelectorAll(".shot")) {
  const groups = [...shot.querySelectorAll("svg g")];
  const only = (name) => {
    for (const group of groups) {
      group.classList.toggle("off", name !== null && group.dataset.pair !== name);
    }
  };
  for (const button of shot.querySelectorAll("button[data-pair]")) {
    for (const event of ["focus", "mouseenter"]) {
      button.addEventListener(event, () => only(button.dataset.pair));
    }
    for (const event of ["blur", "mouseleave"]) {
      button.addEventListener(event, () => only(null));
    }
  }
}
// A printed page has no closed parts; afterwards they are as before.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
});
addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});
