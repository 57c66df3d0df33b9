// How fresh the page is, and what has changed while it was open.

import { by } from './dom.js';
import { textOf } from './sheet.js';

const STATES = {
  live: () => 'Live',
  polled: () => 'Live, looked at every 15 s',
  reconnecting: () => 'Reconnecting …',
  stale: (since) => `Not live since ${since.toLocaleTimeString()}`,
  ended: () => 'The link has ended: type view or edit in the thread',
};

export class Fresh {
  /** `reload` reads the sheet anew; `settled` is told when changes are shown. */
  constructor(grid, reload, settled) {
    Object.assign(this, { grid, reload, settled, since: new Date(), due: 0, next: 0 });
    by('changed').onclick = () => this.visit();
  }

  state(now) {
    this.since = now === 'live' || now === 'polled' ? null : (this.since ?? new Date());
    by('live').dataset.state = now;
    by('live').textContent = STATES[now](this.since);
  }

  /** Takes an update over; what changed in a moment is painted together. */
  changed(update) {
    const { sheet, recent } = this.grid;
    if (update.reload) return this.reload();
    if (update.version <= sheet.version) return;
    // Something in between was missed; or rows come and go while somebody types, who is waited for.
    const rows = update.added.length + update.removed.length;
    if (update.from !== sheet.version || (rows && this.grid.editing)) return this.reload();
    this.who = update.by === 'bot' ? 'through this bot' : 'in Smartsheet';
    const words = `Changed ${this.who} at ${new Date().toLocaleTimeString()}`;
    const focused = this.focused();
    for (const [id, column] of sheet.apply(update)) {
      if (!recent.has(id)) recent.set(id, new Map());
      recent.get(id).set(column, words);
    }
    if (rows) this.arrange(focused);
    this.moved ||= sheet.kept !== null || sheet.sort !== null;
    this.due ||= requestAnimationFrame(() => this.settle());
  }

  /** Cells that look different now that all was read anew, beside those that had changed before. */
  compared(before, now) {
    const recent = new Map();
    const mark = (id, column, words) => (recent.get(id) ?? recent.set(id, new Map()).get(id)).set(column, words);
    for (const [id, columns] of this.grid.recent) {
      for (const [{ id: of }, words] of columns) if (now.rowOf.has(id) && now.columnOf.has(of)) mark(id, now.columnOf.get(of), words);
    }
    const words = `Changed, seen at ${new Date().toLocaleTimeString()}`;
    for (const column of now.columns.filter(({ id }) => before.columnOf.has(id))) {
      const old = before.columnOf.get(column.id);
      now.ids.forEach((id, row) => {
        const was = before.rowOf.get(id);
        if (was === undefined || textOf(before.entry(old, was)) === textOf(now.entry(column, row))) return;
        this.who = 'seen on a second look';
        mark(id, column, words);
      });
    }
    return recent;
  }

  focused() {
    const { sheet, at } = this.grid;
    return sheet.ids[sheet.visible[at]];
  }

  arrange(focused = this.focused()) {
    this.grid.sheet.arrange();
    this.grid.keep(focused);
  }

  settle() {
    this.due = 0;
    // Rows do not move while somebody types in one.
    if (this.moved && !this.grid.editing) {
      this.arrange();
      this.moved = false;
    }
    this.grid.refresh();
    this.settled();
    this.count();
  }

  count() {
    const count = [...this.grid.recent.values()].reduce((sum, columns) => sum + columns.size, 0);
    Object.assign(by('changed'), { hidden: count === 0, textContent: `${count} changed, last ${this.who}` });
  }

  /** Goes to the next cell that has changed. */
  visit() {
    const { grid } = this;
    const all = [...grid.recent].flatMap(([id, columns]) => [...columns.keys()].map((column) => [grid.sheet.rowOf.get(id), column]));
    const there = all.filter(([row]) => row !== undefined);
    const [row, column] = there[this.next++ % there.length] ?? [];
    const at = row === undefined ? -1 : grid.sheet.reveal(row);
    if (at < 0) return;
    grid.go(at, grid.columns.indexOf(column) + 1, true);
    // What was looked at is no news any more.
    grid.recent.get(grid.sheet.ids[row]).delete(column);
    this.next -= 1;
    this.count();
  }
}
