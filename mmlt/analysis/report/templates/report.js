'use strict';
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = Number(text.replaceAll(',', ''));
    return text === '-' ? null : Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, column) => {
    head.querySelector('button').addEventListener('click', () => {
      // Numbers start with the largest, names with the first.
      const first = head.classList.contains('text') ? 'ascending' : 'descending';
      const other = first === 'ascending' ? 'descending' : 'ascending';
      const order = head.getAttribute('aria-sort') === first ? other : first;
      for (const each of heads) each.setAttribute('aria-sort', 'none');
      head.setAttribute('aria-sort', order);
      const sign = order === 'ascending' ? 1 : -1;
      const rows = [...body.rows].map(row => [key(row, column), row]);
      rows.sort(([a], [b]) => {
        // What is not known comes last, either way.
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === 'string' ? a.localeCompare(b) : a - b);
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
  const input = document.querySelector(`input[data-table=${table.id}]`);
  const found = document.querySelector(`output[data-table=${table.id}]`);
  input.addEventListener('input', () => {
    const word = input.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !row.textContent.toLowerCase().includes(word);
      shown += !row.hidden;
    }
    found.value = `${shown} of ${body.rows.length}`;
  });
}
