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
// On phones every cell has its head beside it. Roles: a table that is laid out otherwise loses them.
for (const table of document.querySelectorAll(".box table")) {
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
  table.classList.add("labelled");
  table.setAttribute("role", "table");
  for (const part of table.querySelectorAll("thead, tbody")) part.setAttribute("role", "rowgroup");
  for (const head of table.tHead.rows[0].cells) head.setAttribute("role", "columnheader");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    for (const cell of row.querySelectorAll("td")) {
      cell.setAttribute("role", "cell");
      cell.dataset.head = heads[cell.cellIndex];
    }
    row.querySelector("tbody th")?.setAttribute("role", "rowheader");
  }
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
