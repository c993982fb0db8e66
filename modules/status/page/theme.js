// Before the first paint: light or dark, as the system says unless the person chose. A classic script, so that it blocks.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("millwatch:theme");
    } catch {
      return null; // a browser that forbids storage: the system decides
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", apply);
  document.addEventListener("millwatch-theme", apply);
  apply();
})();
