"use strict";
/* Sorting, filtering, suites and theme. Without it every table is there, in the board's own order. */
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* Theme: the system's until someone chooses; the choice is kept where storage is allowed. */
  const themes = ["system", "light", "dark"];
  const button = document.querySelector(".theme");
  const kept = () => { try { return localStorage.getItem("wslbench-theme"); } catch { return null; } };
  const paint = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = "Theme: " + theme;
  };
  let theme = themes.includes(kept()) ? kept() : "system";
  paint(theme);
  button.hidden = false;
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    paint(theme);
    try { localStorage.setItem("wslbench-theme", theme); } catch { /* a page without storage forgets */ }
  });

  /* Sorting: by the number a cell begins with, or by its text; what is missing stands last either way. */
  const key = (row, column, numeric) => {
    const text = row.cells[column].textContent;
    if (!numeric) return text === "" || text === "–" ? null : text.toLowerCase();
    const value = parseFloat(text);
    return Number.isNaN(value) ? null : value;
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  const sort = (table, column, down) => {
    const numeric = !table.tHead.rows[0].cells[column].classList.contains("text");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row, column, numeric), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? compare(b, a) : compare(a, b);
    });
    body.replaceChildren(...rows.map(([, row]) => row));
  };
  for (const table of all("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const label = heading.querySelector(".sort");
      if (!label) return;
      const press = document.createElement("button");
      press.type = "button";
      press.className = "sort";
      press.textContent = label.textContent;
      label.replaceWith(press);
      press.addEventListener("click", () => {
        const text = heading.classList.contains("text") || press.textContent.includes("↓") || press.textContent === "#";
        const before = heading.getAttribute("aria-sort");
        const down = before ? before === "ascending" : !text;
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  }

  /* Filtering: rows whose name or text has every word; one field serves all tables of its section. */
  for (const input of all("input[data-filters]")) {
    const section = document.getElementById(input.dataset.filters);
    const count = input.parentElement.querySelector(".count");
    const rows = all("table.sortable tbody tr", section).map((row) => [row, row.textContent.toLowerCase()]);
    const first = all("table.sortable", section)[0];
    input.parentElement.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const [row, text] of rows) row.hidden = !words.every((word) => text.includes(word));
      const total = first.tBodies[0].rows.length;
      const shown = [...first.tBodies[0].rows].filter((row) => !row.hidden).length;
      count.textContent = words.length ? `${shown} of ${total} shown` : "";
    });
  }

  /* Suites: one at a time. */
  const tabs = document.querySelector(".tabs");
  if (tabs) {
    const buttons = all("button", tabs);
    const show = (id) => {
      for (const each of buttons) {
        const chosen = each.dataset.shows === id;
        each.setAttribute("aria-pressed", chosen);
        document.getElementById(each.dataset.shows).hidden = !chosen;
      }
    };
    const asked = () => buttons.find((each) => "#" + each.dataset.shows === location.hash);
    for (const each of buttons) each.addEventListener("click", () => { history.replaceState(null, "", "#" + each.dataset.shows); show(each.dataset.shows); });
    tabs.hidden = false;
    show((asked() || buttons[0]).dataset.shows);
    addEventListener("hashchange", () => { if (asked()) show(asked().dataset.shows); });
  }
})();
