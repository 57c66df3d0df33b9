// Editing a cell: what is typed is taken as it is, shown at once, and kept in its cell when the sheet refuses it or somebody was faster.

import { by, made } from './dom.js';
import { Offers } from './offers.js';
import { entryOf, textOf, valueOf } from './sheet.js';
import { Unsaved } from './unsaved.js';

const LAG = 3_000;

/** A field that lets a value of the column be typed. */
function fieldOf(column, entry) {
  const bare = column.kind === 'number' && !textOf(entry).endsWith('%');
  const value = bare ? String(valueOf(entry) ?? '') : textOf(entry);
  return value.includes('\n') ? made('textarea', { value, maxLength: 4000 }) : made('input', { type: 'text', value, maxLength: 4000 });
}

/** A button that opens the browser's calendar, for those who would rather choose a day than type it. */
function calendar(field, title) {
  const day = made('input', { type: 'date', className: 'day', tabIndex: -1, ariaHidden: 'true' });
  day.onchange = () => {
    field.value = day.value;
    field.focus();
  };
  const button = made('button', { type: 'button', className: 'calendar', tabIndex: -1, textContent: '▾' });
  button.ariaLabel = `Choose a day: ${title}`;
  // The field keeps the focus.
  button.onpointerdown = (event) => event.preventDefault();
  button.onclick = () => {
    day.value = /^\d{4}-\d{2}-\d{2}$/.test(field.value) ? field.value : '';
    field.choosing = true;
    day.showPicker();
  };
  for (const kind of ['focus', 'keydown', 'pointerdown']) field.addEventListener(kind, () => (field.choosing = false));
  return [day, button];
}

export class Editor {
  /** `send(path, body)` asks the server; `say(text, actions)` tells the person. */
  constructor(grid, send, say) {
    Object.assign(this, { grid, send, say, line: Promise.resolve(), done: [], known: new Map(), pending: 0 });
    const there = (item) => ('theirs' in item ? item.theirs : item.before);
    const again = (item) => {
      const column = grid.sheet.columnOf.get(item.column);
      if (column) this.save(column, item.row, item.value, there(item));
      else say('The column is not in the sheet any more.');
    };
    this.unsaved = new Unsaved(grid, again);
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
    const waiting = this.unsaved.items.get(`${id}:${column.id}`);
    const field = fieldOf(column, entry);
    const shown = field.value;
    if (typeof waiting?.value === 'string') field.value = waiting.value;
    field.className = 'editor';
    field.setAttribute('aria-label', `${column.title}, ${textOf(sheet.entry(grid.columns[0], row))}`);
    const beside = column.type === 'DATE' ? calendar(field, column.title) : [];
    const options = column.kind === 'person' ? sheet.people.map(([, name]) => name) : (column.options ?? []);
    let open = true;
    const close = (keep, focus) => {
      if (!open) return;
      open = false;
      grid.editing = grid.park = null;
      offers?.close();
      [field, ...beside].forEach((part) => part.remove());
      cell.tabIndex = -1;
      if (keep && (field.value !== shown || waiting)) this.save(column, id, field.value, entry);
      grid.refresh();
      if (focus) grid.focus();
      const { later } = grid;
      grid.later = null;
      later?.();
    };
    const many = column.type.startsWith('MULTI_');
    const offers = options.length ? new Offers(field, cell, options, many, () => close(true, true)) : null;
    field.addEventListener('blur', () => field.choosing || close(true));
    // Whoever scrolls away has not said that it is to be written.
    grid.park = () => {
      const { value } = field;
      close(false);
      if (value === shown) return;
      const save = () => this.save(column, id, value, entry);
      this.say(`You were typing in ${column.title}: “${value}”.`, [['Save it', save], ['Drop it', () => {}]]);
    };
    field.addEventListener('keydown', (event) => {
      if (event.isComposing) return;
      if (event.key === 'Escape') close(false, true);
      else if (offers?.key(event)) {
        // It was for the list.
      } else if ((event.key === 'Enter' && !event.shiftKey) || event.key === 'Tab') {
        offers?.settle();
        close(true, true);
        if (event.key === 'Enter') grid.go(grid.at + 1);
        else grid.go(grid.at, grid.column + (event.shiftKey ? -1 : 1));
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    cell.removeAttribute('tabindex');
    cell.append(field, ...beside);
    grid.editing = cell;
    if (typed) field.value = typed;
    field.focus({ preventScroll: true });
    if (!typed) field.select();
    offers?.show(typed ? offers.words() : '');
  }

  /** Writes a text over a cell, as it came from a key or the clipboard. */
  type(column, row, text) {
    const entry = this.grid.sheet.entry(column, row);
    if (column.kind === 'check' && text === '') text = false;
    if (text !== textOf(entry) && !(text === false && !valueOf(entry))) this.save(column, this.grid.sheet.ids[row], text, entry);
  }

  /** Takes the last change of this page back. */
  back() {
    if (this.done.length) this.undo(this.done.at(-1));
    else this.say('There is nothing of this page to take back.');
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
    this.unsaved.drop(id, column.id);
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
      return;
    }
    const item = { row: id, column: column.id, value };
    if (answer.status === 409 && answer.body.now) {
      known.entry = entryOf(answer.body.now);
      this.put(column, id, known.entry);
      const words = `${column.title} was changed meanwhile. There now: “${textOf(known.entry) || '(empty)'}”. You: “${mine}”.`;
      this.unsaved.add({ ...item, words, theirs: known.entry });
      return;
    }
    this.put(column, id, known.entry, typed);
    // Without an answer nobody knows.
    const head = answer.status ? 'Not saved' : 'Not known whether it was saved';
    const why = `${head}: ${answer.body.detail ?? 'the row is gone.'}`;
    const words = why.includes(`“${mine}”`) ? why : `${why} ${column.title}: “${mine}”.`;
    this.unsaved.add({ ...item, words, before: known.entry, away: !answer.status || answer.status === 429 || answer.status >= 500 });
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
