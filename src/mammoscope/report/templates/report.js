const body = document.body;
for (const [id, name] of [["heat-switch", "no-heat"], ["marks-switch", "no-marks"]]) {
  const box = document.getElementById(id);
  const set = () => body.classList.toggle(name, !box.checked);
  box.addEventListener("change", set); set();
}
const strength = document.getElementById("strength");
const fade = () => document.querySelectorAll(".heat").forEach(layer => { layer.style.opacity = strength.value / 100; });
strength.addEventListener("input", fade); fade();
const enlarge = (figure, large) => {
  figure.classList.toggle("large", large);
  figure.querySelector("button.layers").setAttribute("aria-expanded", large);
};
const close = () => document.querySelectorAll("figure.large").forEach(figure => enlarge(figure, false));
document.querySelectorAll("button.layers").forEach(button => button.addEventListener("click", () => {
  const figure = button.closest("figure"), large = !figure.classList.contains("large");
  close(); enlarge(figure, large);
}));
document.addEventListener("keydown", event => { if (event.key === "Escape") close(); });
