// Search, filters, sorting, columns and CSV; remembered in this browser, and in the address so that it can be passed on.

import { by, made, pressed } from './dom.js';
import { textOf, valueOf } from './sheet.js';

const PAUSE = 120;

export class Tools {
  constructor(sheet, grid) {
    Object.assign(this, { sheet, grid, kept: `chatsheet:${document.body.dataset.sheet}` });
    by('search').oninput = ({ target }) => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.arrange({ query: target.value }), PAUSE);
    };
    addEventListener('pointerdown', ({ target }) => (by('columns').open &&= Boolean(target.closest('#columns'))));
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape') by('columns').open = false;
      if (event.key !== '/' || event.target.matches('input, textarea, select')) return;
      event.preventDefault();
      by('search').focus();
    });
    by('wrap').onclick = ({ target }) => {
      grid.wrap = pressed(target);
      this.layout();
    };
    by('filter').onclick = ({ target }) => {
      this.filtering = pressed(target);
      if (!this.filtering) this.sheet.filters.clear();
      this.layout();
      this.arrange();
    };
    by('csv').onclick = () => this.csv();
    by('print').onsubmit = ({ target }) => this.select(target);
    grid.head.addEventListener('pointerdown', (event) => this.resize(event));
  }

  /** Takes over for a sheet what was remembered. */
  recall(sheet) {
    this.sheet = sheet;
    const parameters = new URLSearchParams(location.search);
    const known = JSON.parse(localStorage.getItem(this.kept) ?? '{}');
    const column = (id) => sheet.columns.find((c) => c.id === id);
    for (const c of sheet.columns) Object.assign(c, known[c.id]);
    for (const c of sheet.columns) if (parameters.has(`f-${c.id}`)) sheet.filters.set(c, parameters.get(`f-${c.id}`));
    const [id, down] = (parameters.get('sort') ?? '').split('-');
    Object.assign(sheet, { query: parameters.get('q') ?? '', sort: column(id) ? { column: column(id), down: Boolean(down) } : null });
    if (document.activeElement !== by('search')) by('search').value = sheet.query;
    else sheet.query = by('search').value;
    if (sheet.filters.size && !this.filtering) this.filtering = pressed(by('filter'));
    sheet.arrange();
  }

  remember() {
    const { columns, query, sort, filters } = this.sheet;
    localStorage.setItem(this.kept, JSON.stringify(Object.fromEntries(columns.map(({ id, width, hidden }) => [id, { width, hidden }]))));
    const parameters = new URLSearchParams(location.search);
    const put = (name, value) => (value ? parameters.set(name, value) : parameters.delete(name));
    put('q', query);
    put('sort', sort && `${sort.column.id}${sort.down ? '-down' : ''}`);
    for (const column of columns) put(`f-${column.id}`, filters.get(column));
    history.replaceState(null, '', `${location.pathname}${parameters.size ? `?${parameters}` : ''}${location.hash}`);
  }

  /** Shows what fits now. */
  arrange(changes = {}) {
    Object.assign(this.sheet, changes).arrange();
    this.grid.refresh();
    this.remember();
    this.count();
  }

  /** Shows everything again. */
  clear() {
    this.sheet.filters.clear();
    by('search').value = '';
    by('marked').setAttribute('aria-pressed', false);
    this.arrange({ query: '', only: null });
    this.layout();
  }

  count() {
    const { ids, kept, matches, visible } = this.sheet;
    const all = `${ids.length.toLocaleString()} rows`;
    by('count').textContent = kept ? `${matches.toLocaleString()} of ${all}` : all;
    by('empty').hidden = visible.length > 0;
    by('empty').textContent = ids.length ? 'No row matches. Clear the search or the filters.' : 'This sheet has no rows yet.';
  }

  layout() {
    const { ariaLabel, selectionStart } = document.activeElement;
    this.grid.layout();
    this.grid.head.querySelector('.filters')?.remove();
    if (this.filtering) this.grid.head.append(this.filters());
    // Who types in a filter goes on typing there.
    const typing = [...this.grid.head.querySelectorAll('.filters input')].find((field) => field.ariaLabel === ariaLabel);
    typing?.focus();
    typing?.setSelectionRange(selectionStart, selectionStart);
    by('columns').lastElementChild.replaceChildren(...this.sheet.columns.map((column) => this.choice(column)));
  }

  filters() {
    const field = (column) => made('input', {
      value: this.sheet.filters.get(column) ?? '',
      placeholder: ['number', 'date'].includes(column.kind) ? '> < =' : 'contains',
      ariaLabel: `Filter ${column.title}`,
      oninput: ({ target }) => {
        if (target.value) this.sheet.filters.set(column, target.value);
        else this.sheet.filters.delete(column);
        this.arrange();
      },
    });
    const cells = this.grid.columns.map((column, i) => this.grid.cell('', 'columnheader', i + 1, field(column)));
    return made('div', { className: 'row filters', role: 'row' }, this.grid.cell('number', 'columnheader', 0, '≈'), ...cells);
  }

  /** Whether a column is shown, and how wide. */
  choice(column) {
    const onchange = ({ target }) => {
      column.hidden = !target.checked;
      this.layout();
      this.remember();
      by('columns').querySelectorAll('input')[this.sheet.columns.indexOf(column)].focus();
    };
    const box = made('input', { type: 'checkbox', checked: !column.hidden, disabled: column === this.sheet.columns[0], onchange });
    const step = (textContent, word, pixels) => {
      const onclick = () => this.widen(column, column.width + pixels);
      return made('button', { textContent, ariaLabel: `${word}: ${column.title}`, onclick });
    };
    return made('li', {}, made('label', {}, box, ` ${column.title}`), step('−', 'Narrower', -40), step('+', 'Wider', 40));
  }

  widen(column, width) {
    column.width = Math.max(50, Math.min(900, width));
    this.grid.widths();
    this.remember();
  }

  /** Follows the pointer from the edge of a head. */
  resize(event) {
    if (!event.target.matches('.grip')) return;
    const cell = event.target.parentElement;
    const column = this.grid.columns[[...cell.parentElement.children].indexOf(cell) - 1];
    const [start, width, stop] = [event.clientX, column.width, new AbortController()];
    addEventListener('pointermove', (moved) => this.widen(column, width + moved.clientX - start), { signal: stop.signal });
    addEventListener('pointerup', () => stop.abort(), { signal: stop.signal });
    event.preventDefault();
  }

  /** What is shown goes on paper, in the same order. */
  select({ rows, columns }) {
    const { ids, visible, kept, sort } = this.sheet;
    const part = kept || sort || visible.length < ids.length;
    rows.value = part ? visible.map((row) => ids[row]).join('-') || 'none' : '';
    columns.value = this.grid.columns.map((column) => column.id).join('-');
  }

  /** What is shown, as a file; a text that a spreadsheet would take for a formula gets an apostrophe. */
  csv() {
    const { sheet, grid } = this;
    const safe = (text, number) => (/^[=+\-@\t\r]/.test(text) && !number ? `'${text}` : text);
    const quoted = (entry) => `"${safe(textOf(entry), typeof valueOf(entry) === 'number').replaceAll('"', '""')}"`;
    const line = (entries) => entries.map(quoted).join(',');
    const rows = sheet.visible.map((row) => line(grid.columns.map((column) => sheet.entry(column, row))));
    const text = `\uFEFF${[line(grid.columns.map((column) => column.title)), ...rows].join('\r\n')}\r\n`;
    const href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
    made('a', { href, download: `${document.querySelector('h1').textContent}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1_000);
  }
}
