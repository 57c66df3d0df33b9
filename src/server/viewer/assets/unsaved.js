// What was typed and is not in the sheet: it stays in its cell, marked, and in a list, until somebody decides; also over a reload.

import { by, made } from './dom.js';
import { textOf } from './sheet.js';

const where = () => `chatsheet:unsaved:${document.body.dataset.base}`;

export class Unsaved {
  /** `again(item)` writes an item anew. */
  constructor(grid, again) {
    Object.assign(this, { grid, again, items: new Map() });
    grid.unsaved = this.items;
  }

  /** Takes up what a page before this one has left. */
  recall() {
    for (const item of JSON.parse(sessionStorage.getItem(where()) ?? '[]')) this.items.set(`${item.row}:${item.column}`, item);
    this.list();
  }

  /** `item` has row, column, value, before, words, theirs (in a conflict) and away (when it may work later). */
  add(item) {
    this.items.set(`${item.row}:${item.column}`, item);
    this.list();
  }

  /** Whoever types anew, or lets it be, is done with it. */
  drop(row, column) {
    if (this.items.delete(`${row}:${column}`)) this.list();
  }

  /** Tries what could not be written because the server was away. */
  back() {
    for (const item of [...this.items.values()]) if (item.away) this.again(item);
  }

  list() {
    const items = [...this.items.values()];
    sessionStorage.setItem(where(), JSON.stringify(items));
    const button = (textContent, onclick) => made('button', { textContent, onclick });
    const line = (item) => {
      const row = this.grid.sheet.rowOf.get(item.row);
      const name = row === undefined ? '' : `${textOf(this.grid.sheet.entry(this.grid.sheet.columns[0], row))}: `;
      const words = 'theirs' in item ? ['Keep mine', 'Keep theirs'] : ['Try again', 'Leave it'];
      const acts = [button(words[0], () => this.again(item)), button(words[1], () => this.drop(item.row, item.column))];
      return made('li', {}, button(`${name}${item.words}`, () => this.visit(item)), ...acts);
    };
    const all = [button('Try all again', () => items.forEach(this.again)), button('Leave all', () => this.clear())];
    const head = made('p', {}, made('strong', { textContent: `${items.length} not saved` }), ...(items.length > 1 ? all : []));
    by('unsaved').replaceChildren(head, made('ul', {}, ...items.map(line)));
    by('unsaved').hidden = !items.length;
    this.grid.refresh();
  }

  clear() {
    this.items.clear();
    this.list();
  }

  /** Goes to the cell of an item. */
  visit({ row, column }) {
    const { grid } = this;
    const at = grid.sheet.rowOf.has(row) ? grid.sheet.reveal(grid.sheet.rowOf.get(row)) : -1;
    if (at >= 0) grid.go(at, Math.max(1, grid.columns.findIndex(({ id }) => id === column) + 1), true);
  }
}
