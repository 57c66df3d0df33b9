// Editing a cell: a native control by kind, shown at once, rolled back when the sheet refuses it or somebody was faster.

import { by } from './dom.js';
import { entryOf, textOf, valueOf } from './sheet.js';

const LAG = 3_000;
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
  const bare = column.kind === 'number' && !textOf(entry).endsWith('%');
  const value = bare ? String(valueOf(entry) ?? '') : textOf(entry);
  if (value.includes('\n')) return control('textarea', { value, maxLength: 4000 });
  const day = column.type === 'DATE' && /^(\d{4}-\d{2}-\d{2})?$/.test(value);
  const input = control('input', { type: day ? 'date' : 'text', value, maxLength: 4000 });
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
    Object.assign(this, { grid, send, say, line: Promise.resolve(), done: [], known: new Map(), pending: 0 });
    // What is typed, or on its way, would be lost.
    addEventListener('beforeunload', (event) => (this.pending || grid.editing) && event.preventDefault());
    const back = by('undo');
    if (back) back.onclick = () => this.undo(this.done.at(-1));
  }

  open(cell, column, row, typed) {
    const { grid } = this;
    const { sheet } = grid;
    const [id, entry] = [sheet.ids[row], sheet.entry(column, row)];
    if (column.kind === 'check') {
      if (!typed) this.save(column, id, valueOf(entry) !== true, entry);
      return;
    }
    const field = controlOf(column, entry, sheet.people);
    const shown = field.value;
    field.className = 'editor';
    field.setAttribute('aria-label', `${column.title}, ${textOf(sheet.entry(grid.columns[0], row))}`);
    let open = true;
    const close = (keep, focus) => {
      if (!open) return;
      open = false;
      grid.editing = grid.park = null;
      field.remove();
      cell.tabIndex = -1;
      if (keep && field.validity.badInput) this.say(`Not saved: ${column.title} was not a whole date.`);
      else if (keep && field.value !== shown) this.save(column, id, field.value, entry);
      grid.refresh();
      if (focus) grid.focus();
      const { later } = grid;
      grid.later = null;
      later?.();
    };
    field.addEventListener('blur', () => close(true));
    // Whoever scrolls away has not said that it is to be written.
    grid.park = () => {
      const { value, validity } = field;
      close(false);
      if (value === shown || validity.badInput) return;
      const save = () => this.save(column, id, value, entry);
      this.say(`You were typing in ${column.title}: “${value}”.`, [['Save it', save], ['Drop it', () => {}]]);
    };
    field.addEventListener('keydown', (event) => {
      if (event.isComposing) return;
      if (event.key === 'Escape') close(false, true);
      else if ((event.key === 'Enter' && !event.shiftKey) || event.key === 'Tab') {
        close(true, true);
        if (event.key === 'Enter') grid.go(grid.at + 1);
        else grid.go(grid.at, grid.column + (event.shiftKey ? -1 : 1));
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    cell.removeAttribute('tabindex');
    cell.append(field);
    grid.editing = cell;
    if (typed && field.type === 'text') field.value = typed;
    field.focus({ preventScroll: true });
    if (!typed && field.type === 'text') field.select();
  }

  /** Shows an entry; `only` where this one still stands. */
  put(column, id, entry, only) {
    const { sheet } = this.grid;
    const row = sheet.rowOf.get(id);
    if (row !== undefined && (only === undefined || sheet.entry(column, row) === only)) sheet.set(column, row, entry);
    this.grid.refresh();
  }

  /** Shows a value, and writes it when what was typed before it is settled; the cell showed `before`. */
  save(column, id, value, before) {
    const typed = value === '' ? null : value;
    const cell = `${id}:${column.id}`;
    const last = this.known.get(cell);
    // What is told live may lag behind what was just written here.
    const fresh = last && (last.pending > 0 || Date.now() - last.settled < LAG);
    const known = fresh ? last : { entry: before, pending: 0 };
    known.pending++;
    this.pending++;
    this.known.set(cell, known);
    this.put(column, id, typed);
    this.line = this.line.then(() => this.write(column, id, value, typed, known)).finally(() => {
      known.pending--;
      this.pending--;
      known.settled = Date.now();
    });
  }

  /** `known.entry` is what the server is known to have. */
  async write(column, id, value, typed, known) {
    const answer = await this.send('cell', { row: id, column: column.id, value, was: valueOf(known.entry) });
    const mine = value === true ? '✓' : value || '(empty)';
    if (answer.ok) {
      known.entry = entryOf(answer.body);
      this.put(column, id, known.entry, typed);
      const late = answer.body.status === 'under_way';
      const words = late ? 'On its way, but not written yet.' : 'Saved.';
      this.say([words, ...(answer.body.warnings ?? [])].join(' '), late ? [] : this.did(answer.body.change));
    } else if (answer.status === 409 && answer.body.now) {
      known.entry = entryOf(answer.body.now);
      this.put(column, id, known.entry);
      const words = `${column.title} was changed meanwhile. There now: “${textOf(known.entry) || '(empty)'}”. You: “${mine}”.`;
      this.say(words, [['Keep mine', () => this.save(column, id, value, known.entry)], ['Keep theirs', () => {}]]);
    } else {
      this.put(column, id, known.entry, typed);
      // Without an answer nobody knows.
      const head = answer.status ? 'Not saved' : 'Not known whether it was saved';
      const again = () => this.save(column, id, value, known.entry);
      this.say(`${head}: ${answer.body.detail ?? 'the row is gone.'} You: “${mine}”.`, [['Try again', again], ['Leave it', () => {}]]);
    }
  }

  /** Remembers a change; what can be done about it. */
  did(change) {
    if (!change) return [];
    this.done.push(change);
    by('undo').hidden = false;
    return [['Undo', () => this.undo(change)]];
  }

  async undo(change) {
    this.done = this.done.filter((other) => other !== change);
    // What was written here last is not what stands there then.
    this.known.clear();
    by('undo').hidden = !this.done.length;
    const answer = await this.send('undo', { change });
    const again = [0, 429].includes(answer.status) || answer.status >= 500;
    if (again) this.did(change);
    this.say(answer.body.said ?? answer.body.detail ?? 'It could not be taken back.');
  }
}
