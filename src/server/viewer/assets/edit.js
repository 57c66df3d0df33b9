// Editing a cell: a native control by kind, shown at once, rolled back when the sheet refuses it or somebody was faster.

import { entryOf, textOf, valueOf } from './sheet.js';

const control = (name, properties) => Object.assign(document.createElement(name), properties);

/** A control that lets a value of the column be typed or chosen. */
function controlOf(column, entry, people) {
  if (column.type === 'PICKLIST' && column.options?.length) {
    const select = control('select', {});
    const current = textOf(entry);
    const options = ['', ...column.options, ...(column.options.includes(current) || !current ? [] : [current])];
    select.append(...options.map((text) => control('option', { value: text, textContent: text || '(empty)', selected: text === current })));
    return select;
  }
  const value = column.kind === 'number' ? (valueOf(entry) ?? '') : textOf(entry);
  const input = control('input', { type: column.type === 'DATE' ? 'date' : 'text', value, maxLength: 4000 });
  const offers = column.kind === 'person' ? people.map(([, name]) => name) : (column.options ?? []);
  if (offers.length) {
    const list = control('datalist', { id: 'offers' });
    list.append(...offers.map((text) => control('option', { value: text })));
    input.setAttribute('list', 'offers');
    input.append(list);
  }
  return input;
}

export class Editor {
  /** `send(path, body)` asks the server; `say(text, actions)` tells the person. */
  constructor(grid, send, say) {
    Object.assign(this, { grid, send, say });
  }

  open(cell, column, row, typed) {
    const { grid } = this;
    const { sheet } = grid;
    const [id, entry] = [sheet.ids[row], sheet.entry(column, row)];
    if (column.kind === 'check') {
      this.save(column, id, valueOf(entry) !== true, entry);
      return;
    }
    const field = controlOf(column, entry, sheet.people);
    field.className = 'editor';
    field.setAttribute('aria-label', `${column.title}, ${textOf(sheet.entry(grid.columns[0], row))}`);
    let open = true;
    const close = (keep, focus) => {
      if (!open) return;
      open = false;
      field.remove();
      field.querySelector('datalist')?.remove();
      if (keep && field.value !== String(valueOf(entry) ?? '') && field.value !== textOf(entry)) this.save(column, id, field.value, entry);
      grid.refresh();
      if (focus) grid.focus();
    };
    field.addEventListener('blur', () => close(true));
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') close(false, true);
      else if (event.key === 'Enter' || event.key === 'Tab') {
        close(true, true);
        if (event.key === 'Enter') grid.go(grid.at + 1);
        else grid.go(grid.at, grid.column + (event.shiftKey ? -1 : 1));
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    cell.removeAttribute('tabindex');
    cell.append(field);
    if (typed && field.type === 'text') field.value = typed;
    field.focus({ preventScroll: true });
    if (!typed && field.type === 'text') field.select();
  }

  put(column, id, entry) {
    const { sheet } = this.grid;
    const row = sheet.rowOf.get(id);
    if (row !== undefined) sheet.set(column, row, entry);
    this.grid.refresh();
  }

  /** Writes a cell that showed `before`. */
  async save(column, id, value, before) {
    this.put(column, id, value === '' ? null : value);
    const answer = await this.send('cell', { row: id, column: column.id, value, was: valueOf(before) });
    if (answer.ok) {
      this.put(column, id, entryOf(answer.body));
      const undo = answer.body.change && ['Undo', () => this.undo(answer.body.change)];
      this.say(['Saved.', ...(answer.body.warnings ?? [])].join(' '), undo ? [undo] : []);
    } else if (answer.status === 409) {
      const now = answer.body.now && entryOf(answer.body.now);
      this.put(column, id, now ?? before);
      if (!answer.body.now) this.say('Not saved: the row is gone.');
      else {
        const typed = value === true ? '✓' : value || '(empty)';
        const theirs = textOf(now) || '(empty)';
        const mine = ['Keep mine', () => this.save(column, id, value, now)];
        const words = `${column.title} was changed meanwhile. There now: “${theirs}”. You: “${typed}”.`;
        this.say(words, [mine, ['Keep theirs', () => {}]]);
      }
    } else {
      this.put(column, id, before);
      this.say(`Not saved: ${answer.body.detail}`);
    }
  }

  async undo(change) {
    const answer = await this.send('undo', { change });
    this.say(answer.body.said ?? answer.body.detail ?? 'It could not be taken back.');
  }
}
