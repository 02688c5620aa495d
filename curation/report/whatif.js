// The slider of the forecast: each step is a row of its table. The words beside it are those of the row's cells.
"use strict";
(() => {
  const slider = document.getElementById("whatif-t"), told = document.getElementById("whatif-told");
  const table = document.getElementById("whatif-table");
  const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
  const rows = [...table.querySelectorAll("tbody tr")];
  const marker = document.querySelector("#forecast .plot .here");

  const show = () => {
    const chosen = rows[slider.value], cells = [...chosen.cells].map((cell) => cell.textContent.trim());
    slider.setAttribute("aria-valuetext", `t = ${cells[0]}`);
    rows.forEach((row) => row.classList.toggle("chosen", row === chosen));
    marker.setAttribute("d", `M${chosen.dataset.at * 1000} 0V400`);
    told.textContent = "";
    cells.forEach((cell, place) => {
      const fact = told.appendChild(document.createElement("span"));
      fact.append(`${heads[place]} `);
      fact.appendChild(document.createElement("b")).textContent = cell;
    });
  };

  slider.addEventListener("input", show);
  document.getElementById("whatif-back").addEventListener("click", () => {
    slider.value = slider.getAttribute("value");
    show();
  });
  document.getElementById("whatif").hidden = false;
  show();
})();
