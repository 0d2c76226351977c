"use strict";
for (const box of document.querySelectorAll(".legend input")) {
  box.hidden = false;
  box.addEventListener("change", () => {
    const kind = CSS.escape(box.dataset.of);
    const all = `.event.${kind}, .of.${kind}, .arrow.${kind}, .said.${kind}, tr.${kind}`;
    for (const found of document.querySelectorAll(all)) {
      if (found.tagName !== "LABEL") found.classList.toggle("off", !box.checked);
    }
  });
}
