// The theme puts each table in a box that scrolls sideways where the screen is narrow, but leaves the
// box out of the order of the keyboard, as it does not with code.
const boxes = new ResizeObserver((entries) => {
  for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
});

document$.subscribe(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) boxes.observe(box);
});

// The theme makes the search a dialog without a name.
document.querySelector(".md-search").setAttribute("aria-label", "Search");
