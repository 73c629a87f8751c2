// Light or dark: the system's choice until the person chooses.

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function stored() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // storage may be switched off
  }
}

export function applyTheme() {
  root.dataset.theme = stored() ?? (system.matches ? "dark" : "light");
  root.dispatchEvent(new Event("themechange"));
}

export function toggleTheme() {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // it then lasts until the page is left
  }
  root.dataset.theme = theme;
  root.dispatchEvent(new Event("themechange"));
}

system.addEventListener("change", applyTheme);
applyTheme();
