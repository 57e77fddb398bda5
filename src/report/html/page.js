// What the page can do besides: copy the next command; search, filter and sort what blocks. All text is on the page
// without it, and nothing here makes HTML of text.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);

  const copy = at("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(at("next").textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(at("next"));
        copy.textContent = "Selected";
      }
    });
  }

  // What is folded is printed.
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  });

  const table = at("blocking");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({
    row,
    place,
    text: row.textContent.toLowerCase(),
    cells: [...row.cells].map((cell) => cell.textContent.toLowerCase()),
  }));
  // Rows that are shown at first, and with each further step.
  const step = 200;
  let shown = step;
  let sorted = rows;

  const choices = ["severity", "cause", "owner"].map((name) => {
    const select = at(`by-${name}`);
    const values = new Set(rows.map(({ row }) => row.dataset[name]));
    const listed = name === "owner" ? [...values].sort((a, b) => a.localeCompare(b)) : [...values];
    for (const value of listed) select.add(new Option(value || "nobody", `=${value}`));
    select.addEventListener("change", again);
    return { name, select };
  });
  const search = at("search");
  search.addEventListener("input", again);
  at("clear").addEventListener("click", () => {
    search.value = "";
    for (const { select } of choices) select.value = "";
    again();
    search.focus();
  });
  at("more").addEventListener("click", () => {
    shown += step;
    show();
  });

  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.dataset.head = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(column));
  });
  // The first column is sorted by how bad it is, and that is how the rows came.
  heads[0].setAttribute("aria-sort", "descending");

  function sort(column) {
    const was = heads[column].getAttribute("aria-sort");
    const first = column === 0 ? "descending" : "ascending";
    const other = column === 0 ? "ascending" : "descending";
    const now = was === first ? other : first;
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[column].setAttribute("aria-sort", now);
    const sign = now === first ? 1 : -1;
    const compare = (a, b) => {
      if (column === 0) return sign * (a.place - b.place);
      const [one, two] = [a.cells[column], b.cells[column]];
      // What is not known comes last, whichever way.
      if (!one || !two) return (one ? 0 : 1) - (two ? 0 : 1) || a.place - b.place;
      return sign * collator.compare(one, two) || a.place - b.place;
    };
    sorted = [...rows].sort(compare);
    body.replaceChildren(...sorted.map(({ row }) => row));
    show();
  }

  function again() {
    shown = step;
    show();
  }

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = choices.filter(({ select }) => select.value).map(({ name, select }) => [name, select.value.slice(1)]);
    let found = 0;
    for (const { row, text } of sorted) {
      const fits =
        wanted.every(([name, value]) => row.dataset[name] === value) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      found += fits;
      row.classList.toggle("later", fits && found > shown);
    }
    const format = (number) => number.toLocaleString("en");
    const seen = Math.min(found, shown);
    at("shown").textContent =
      (found === rows.length ? "" : `${format(found)} of `) +
      `${format(rows.length)} ${rows.length === 1 ? "finding" : "findings"}` +
      (seen < found ? `, the first ${format(seen)} shown` : "");
    at("more").hidden = seen === found;
  }

  const collator = new Intl.Collator("en", { numeric: true });
  at("tools").hidden = false;
  show();
})();
