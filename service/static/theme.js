// Light or dark: the system's choice until the visitor makes one.
//
//   system setting, or the stored choice -> <html data-theme> -> page.css
//
// A classic script in the head, so that the theme is known before the first paint and no page flashes.
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be switched off
    }
  };

  const show = (theme) => {
    root.dataset.theme = theme;
    root.dispatchEvent(new Event("themechange"));
  };

  const follow = () => show(stored() ?? (system.matches ? "dark" : "light"));

  const toggle = () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // it then lasts until the page is left
    }
    show(theme);
  };

  follow();
  system.addEventListener("change", follow);
  matchMedia("(forced-colors: active)").addEventListener("change", follow); // the canvas is painted again
  document.addEventListener("click", (event) => {
    if (event.target.closest("#theme")) toggle();
  });
}
