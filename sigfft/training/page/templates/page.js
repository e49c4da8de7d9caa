"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const titles = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  titles.forEach((title, column) => {
    title.firstElementChild.addEventListener("click", () => {
      // Numbers first from the largest, texts from A; a second click turns the order round.
      const numbers = [...body.rows].some((row) => "value" in row.cells[column].dataset);
      const before = title.getAttribute("aria-sort");
      const rising = before ? before === "descending" : !numbers;
      for (const other of titles) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const sign = rising ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        if (!numbers) return sign * x.textContent.localeCompare(y.textContent, undefined, { numeric: true });
        const [absentX, absentY] = [!("value" in x.dataset), !("value" in y.dataset)];
        if (absentX || absentY) return absentX - absentY;
        const [p, q] = [x, y].map((cell) => Number(cell.dataset.value.replace("inf", "Infinity")));
        return p === q ? 0 : sign * (p < q ? -1 : 1);
      });
      body.append(...rows);
    });
  });
}
// Paper has no clicks: what is folded is shown there.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});
