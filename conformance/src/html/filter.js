
const text = document.getElementById("text"), verdict = document.getElementById("verdict");
function filter() {
  const words = text.value.toLowerCase();
  for (const shown of document.querySelectorAll(".case")) {
    const fits = !verdict.value || shown.classList.contains(verdict.value);
    shown.hidden = !fits || !shown.textContent.toLowerCase().includes(words);
  }
  for (const section of document.querySelectorAll("section"))
    section.hidden = ![...section.querySelectorAll(".case")].some((shown) => !shown.hidden);
}
text.addEventListener("input", filter);
verdict.addEventListener("change", filter);
// A link to a case opens it.
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") { target.hidden = false; target.open = true; target.scrollIntoView(); }
});
