"use strict";

// Before the first paint: a page must not flash in the other colours. The switch itself is in preferences.js.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system.
}
