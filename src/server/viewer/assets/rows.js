// Rows: those that a link speaks of, the details of one, new ones, deleted ones.

import { by, made, pressed, say, send } from './dom.js';
import { textOf } from './sheet.js';

export class Rows {
  constructor(grid, tools, editor, canEdit) {
    Object.assign(this, { grid, tools, editor, canEdit });
    addEventListener('hashchange', () => this.follow());
    // Beside a dialog is out of it.
    by('details').onclick = ({ target, clientX, clientY }) => {
      const { left, right, top, bottom } = target.getBoundingClientRect();
      const inside = clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
      if (target === by('details') && !inside) target.close();
    };
    // Who has gone to another row there goes on from it.
    by('details').addEventListener('close', () => grid.root.contains(document.activeElement) && grid.focus());
    if (canEdit) by('add').onclick = () => this.ask('Name of the new row', (name) => this.add(name));
  }

  get sheet() {
    return this.grid.sheet;
  }

  /** Goes to the row of `#row=`, and marks those of `?rows=`. */
  follow() {
    const ids = (new URLSearchParams(location.search).get('rows') ?? '').split('-').filter((id) => this.sheet.rowOf.has(id));
    const [, named] = /^#row=(\d+)/.exec(location.hash) ?? [];
    this.grid.marked = new Set(named ? [...ids, named] : ids);
    if (ids.length) this.offer(ids);
    const id = named ?? ids[0];
    if (!id) return;
    const row = this.sheet.rowOf.get(id);
    if (row === undefined) return say('That row is not in the sheet any more.');
    const at = this.sheet.reveal(row);
    if (at < 0) return say('That row is hidden by the search or a filter.', [['Show it', () => this.unhide()], ['Leave it', () => {}]]);
    this.grid.go(at, 1, true);
    this.grid.refresh();
  }

  unhide() {
    this.tools.clear();
    this.follow();
  }

  offer(ids) {
    const button = Object.assign(by('marked'), { hidden: false, textContent: `Only the ${ids.length} marked` });
    button.onclick = () => this.tools.arrange({ only: pressed(button) ? new Set(ids) : null });
  }

  details(row) {
    const { ids, columns } = this.sheet;
    const look = (column) => textOf(this.sheet.entry(column, row)) || '–';
    const fields = columns.flatMap((column) => [made('dt', { textContent: column.title }), made('dd', { textContent: look(column) })]);
    const id = ids[row];
    const address = `#row=${id}`;
    // The address of this page opens for nobody else.
    const there = new URL(by('smartsheet').href);
    there.searchParams.set('rowId', id);
    const copy = () => navigator.clipboard?.writeText(there.href).then(() => say('Copied: its address in Smartsheet.'));
    const button = (textContent, onclick, className = '') => made('button', { textContent, className, onclick });
    const at = this.sheet.visible.indexOf(row);
    const beside = (name, far) => {
      const disabled = this.sheet.visible[at + far] === undefined;
      return made('button', { textContent: name, disabled, onclick: () => this.step(id, far, name) });
    };
    const steps = at < 0 ? [] : [beside('Previous', -1), beside('Next', 1)];
    const buttons = [...steps, button('Copy link', copy), button('Close', () => by('details').close(), 'primary')];
    if (this.canEdit) buttons.push(button('Delete row', () => this.remove(id), 'danger'));
    // What is opened is read first: neither the end of it nor a deletion has the focus.
    const title = made('h2', { id: 'details-title', tabIndex: -1, autofocus: true, textContent: look(columns[0]) });
    by('details').replaceChildren(title, made('dl', {}, ...fields), made('p', {}, ...buttons));
    if (!by('details').open) by('details').showModal();
    history.replaceState(null, '', address);
  }

  /** The row before or after the one that is looked at, as they are shown; whoever pressed can press again. */
  step(id, far, name) {
    const at = this.sheet.visible.indexOf(this.sheet.rowOf.get(id)) + far;
    const row = this.sheet.visible[at];
    if (row === undefined) return;
    this.grid.go(at);
    this.details(row);
    const buttons = [...by('details').querySelectorAll('button:not(:disabled)')];
    (buttons.find((button) => button.textContent === name) ?? by('details').querySelector('h2')).focus();
  }

  remove(id) {
    by('details').close();
    const row = this.sheet.rowOf.get(id);
    if (row === undefined) return say('That row is not in the sheet any more.');
    const [name, below] = [textOf(this.sheet.entry(this.sheet.columns[0], row)), this.sheet.ends[row] - row - 1];
    const act = async () => this.tell(await send('row/delete', { row: id }), 'Deleted.', 'Not deleted');
    const lost = 'Its comments, attachments and the links to it do not come back with Undo.';
    say(`Delete “${name}”${below ? ` and the ${below} rows below it` : ''}? ${lost}`, [['Delete', act], ['Keep', () => {}]]);
  }

  async add(name) {
    const above = this.sheet.ids[this.sheet.visible[this.grid.at]];
    this.tell(await send('row', { name, after: above ?? null }), 'Added.', 'Not added');
  }

  tell({ ok, body }, done, failed) {
    const late = body.status === 'under_way';
    say(ok ? (late ? 'On its way, but not written yet.' : done) : `${failed}: ${body.detail}`, late ? [] : this.editor.did(body.change));
  }

  ask(textContent, then) {
    const field = made('input', { required: true, maxLength: 4000, ariaLabel: textContent });
    const cancel = made('button', { type: 'button', textContent: 'Cancel', onclick: () => by('details').close() });
    const buttons = made('p', {}, made('button', { className: 'primary', textContent: 'Add' }), cancel);
    const onsubmit = () => field.value.trim() && then(field.value.trim());
    const title = made('h2', { id: 'details-title', textContent });
    by('details').replaceChildren(made('form', { method: 'dialog', onsubmit }, title, field, buttons));
    by('details').showModal();
  }
}
