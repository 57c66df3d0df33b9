// The sheet on the screen: a treegrid of which only the rows in sight exist, moved as one window; focus, keys, widths.

import { dress } from './chips.js';
import { attribute, element } from './dom.js';
import { textOf, valueOf } from './sheet.js';

const SPARE = 6;
const NUMBER = 60;
/** Where there is little room, and the part of it that the first column takes at most; as page.css says. */
const PHONE = matchMedia('(max-width: 640px)');
const FIRST = 0.45;
const HEIGHT = { false: 32, true: 82 };

export class Grid {
  /** `on` has what the page does: edit, type and back where somebody may change the sheet; refuse, several, details, widen, sorted. */
  constructor(root, sheet, on) {
    Object.assign(this, { root, sheet, on, pool: [], first: 0, at: 0, column: 1, recent: new Map(), marked: new Set(), wrap: false });
    [this.head, this.space] = root.children;
    this.window = this.space.firstElementChild;
    this.style = new CSSStyleSheet();
    document.adoptedStyleSheets.push(this.style);
    this.window.replaceChildren();
    this.layout();
    root.addEventListener('scroll', () => this.refresh(false), { passive: true });
    // Who is at a cell keeps it in sight.
    new ResizeObserver(() => (document.activeElement.matches('.grid, .grid .cell') ? this.go(this.at) : this.refresh())).observe(root);
    root.addEventListener('keydown', (event) => this.key(event));
    root.addEventListener('click', (event) => this.click(event));
    // Of two touches the second one has edited already.
    root.addEventListener('dblclick', (event) => this.touched || this.pointed(event, (cell, column, row) => this.edit(cell, column, row)));
    root.addEventListener('focus', () => this.focus());
    for (const kind of ['copy', 'paste']) root.addEventListener(kind, (event) => this[kind](event));
  }

  /** Makes head and rows anew: columns have come, gone or changed their width. */
  layout() {
    // The cursor stays with its column, and inside the sheet when that is gone.
    const here = this.columns?.[this.column - 1]?.id;
    this.columns = this.sheet.columns.filter((column) => !column.hidden);
    const there = this.columns.findIndex(({ id }) => id === here);
    this.column = there < 0 ? Math.min(this.column, this.columns.length) : there + 1;
    this.widths();
    attribute(this.root, 'aria-colcount', String(this.columns.length + 1));
    this.root.classList.toggle('wrap', this.wrap);
    this.height = HEIGHT[this.wrap];
    const row = element('div', 'row', 'row');
    row.setAttribute('aria-rowindex', '1');
    const heads = this.columns.map((column, i) => this.cell(column.kind, 'columnheader', i + 1, column.title, element('span', 'grip')));
    row.append(this.cell('number', 'columnheader', 0, '#'), ...heads);
    this.columns.forEach((column, i) => {
      const { sort } = this.sheet;
      const sorted = sort?.column === column ? (sort.down ? 'descending' : 'ascending') : null;
      attribute(row.children[i + 1], 'aria-sort', sorted);
    });
    this.head.replaceChild(row, this.head.firstElementChild);
    this.pool = [];
    this.from = this.to = this.tabbed = undefined;
    const focused = this.root.contains(document.activeElement) && !this.head.contains(document.activeElement.closest('input'));
    this.window.replaceChildren();
    this.paint();
    if (focused) this.focus();
  }

  widths() {
    const [first, ...others] = this.columns.map((column) => `${column.width}px`);
    this.root.style.setProperty('--first', first);
    this.root.style.setProperty('--columns', others.join(' ') || '0px');
    this.refresh(false);
  }

  cell(kind, role, index, ...children) {
    const cell = element('div', `cell ${kind}`, role);
    cell.append(...children);
    cell.tabIndex = -1;
    cell.style.gridColumn = index + 1;
    cell.setAttribute('aria-colindex', String(index + 1));
    return cell;
  }

  /** How wide a column is shown: where there is little room the first one, which stays in sight, leaves some to the others. */
  wide(index) {
    const { width } = this.columns[index];
    return index === 0 && PHONE.matches ? Math.min(width, innerWidth * FIRST) : width;
  }

  /** Where a column begins and ends, beside the number of the row. */
  edges(index) {
    const left = this.columns.slice(0, index).reduce((sum, _, i) => sum + this.wide(i), NUMBER);
    return [left, left + this.wide(index)];
  }

  /** Columns out of sight are neither laid out nor painted; the first one always is in sight. */
  span() {
    const { root, columns } = this;
    const [start, end] = [root.scrollLeft, root.scrollLeft + root.clientWidth];
    let [left, from, to] = [NUMBER, columns.length, 0];
    columns.forEach((_, i) => {
      const width = this.wide(i);
      if (i > 0 && left + width >= start && left <= end) [from, to] = [Math.min(from, i), i];
      left += width;
    });
    if (from === this.from && to === this.to) return;
    Object.assign(this, { from, to, stale: true });
    // What has the focus would lose it, were it hidden.
    const away = `:is(:nth-child(n + 3):nth-child(-n + ${from + 1}), :nth-child(n + ${to + 3})):not(:focus-within)`;
    this.style.replaceSync(`.grid .row > ${away} { display: none; }`);
  }

  /** Paints with the next frame; `stale` when what rows show may have changed. */
  refresh(stale = true) {
    this.stale ||= stale;
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = undefined;
    const { root, pool, sheet } = this;
    this.span();
    const total = sheet.visible.length;
    const count = Math.min(total, Math.ceil(root.clientHeight / this.height) + 2 * SPARE);
    const first = Math.max(0, Math.min(total - count, Math.floor(root.scrollTop / this.height) - SPARE));
    const focused = root.contains(document.activeElement);
    while (pool.length < count) this.grow();
    while (pool.length > count) pool.pop().remove();
    const step = first - this.first;
    this.stale ||= Math.abs(step) >= count;
    if (this.stale) {
      this.space.style.height = `${total * this.height}px`;
      attribute(root, 'aria-rowcount', String(total + 1));
      pool.forEach((row, i) => this.fill(row, first + i));
    }
    for (let i = count - step; !this.stale && step > 0 && i < count; i++) {
      pool.push(pool.shift());
      this.window.append(this.fill(pool[count - 1], first + i));
    }
    for (let i = -step - 1; !this.stale && i >= 0; i--) {
      pool.unshift(pool.pop());
      this.window.prepend(this.fill(pool[0], first + i));
    }
    if (step || this.stale) this.window.style.transform = `translateY(${first * this.height}px)`;
    Object.assign(this, { first, stale: false, at: Math.min(this.at, total - 1) });
    // The grid itself is reached by Tab only as long as none of its cells is.
    root.tabIndex = this.tabbed?.isConnected ? -1 : 0;
    if (focused && !root.contains(document.activeElement)) (this.active() ?? root).focus({ preventScroll: true });
  }

  grow() {
    const row = element('div', 'row', 'row');
    const cells = this.columns.map((column, i) => this.cell(i ? column.kind : `${column.kind} primary`, 'gridcell', i + 1));
    row.append(this.cell('number', 'rowheader', 0), ...cells);
    this.pool.push(row);
    this.window.append(row);
    this.stale = true;
  }

  /** Lets a row element show the row at a place. */
  fill(target, at) {
    const { sheet } = this;
    const row = sheet.visible[at];
    const [id, parent] = [sheet.ids[row], sheet.isParent(row)];
    if (this.editing?.parentElement === target && target.named !== id) this.park();
    Object.assign(target, { at, row, named: id });
    const look = `row${parent ? ' parent' : ''}${this.marked.has(id) ? ' marked' : ''}`;
    if (target.className !== look) target.className = look;
    attribute(target, 'aria-rowindex', String(at + 2));
    attribute(target, 'aria-level', String(sheet.levels[row] + 1));
    attribute(target, 'aria-expanded', parent ? String(Boolean(sheet.open(row))) : null);
    target.firstChild.textContent = row + 1;
    const recent = this.recent.get(id);
    for (let i = 0; i <= this.to; i = i ? i + 1 : this.from) {
      const [cell, column] = [target.children[i + 1], this.columns[i]];
      this.show(cell, column, row, i === 0);
      const waits = this.unsaved?.get(`${id}:${column.id}`);
      if (waits?.words !== cell.waits) cell.classList.toggle('unsaved', Boolean((cell.waits = cell.title = waits?.words)));
      const changed = (!waits && recent?.get(column)) || '';
      if (changed !== cell.changed) cell.classList.toggle('changed', (cell.title = cell.changed = changed) !== '');
    }
    this.reach(target, at);
    return target;
  }

  /** One cell alone can be reached by Tab. */
  reach(target, at) {
    const cell = target.children[this.column];
    if (at === this.at) {
      if (this.tabbed) this.tabbed.tabIndex = -1;
      this.tabbed = cell;
      if (cell !== this.editing) cell.tabIndex = 0;
    } else if (this.tabbed?.parentElement === target) {
      this.tabbed.tabIndex = -1;
      this.tabbed = null;
    }
  }

  /** Lets a cell element show what stands there, unless it does already or somebody types in it. */
  show(cell, column, row, first) {
    const { sheet } = this;
    const waits = this.unsaved?.get(`${sheet.ids[row]}:${column.id}`);
    const entry = waits ? waits.value : sheet.entry(column, row);
    const [text, link] = [textOf(entry), sheet.link(column, row, textOf(entry))];
    const tree = first ? `${sheet.levels[row]}${sheet.isParent(row) ? (sheet.open(row) ? '▾' : '▸') : ''}` : '';
    if (cell.text === text && cell.link === link && cell.tree === tree) return;
    if (cell === this.editing) return;
    Object.assign(cell, { text, link, tree });
    if (link) {
      const anchor = element('a', '');
      Object.assign(anchor, { href: link, target: '_blank', rel: 'noopener noreferrer nofollow', tabIndex: -1, textContent: text });
      cell.replaceChildren(anchor);
    } else if ((column.kind === 'pick' || column.kind === 'person') && text) {
      const parts = valueOf(entry)?.values?.map((one) => one.name ?? one.email ?? one) ?? [text];
      const one = parts.length === 1 && cell.childElementCount === 1 && cell.firstElementChild.matches('.chip');
      if (one) dress(cell.firstElementChild, column, parts[0]);
      else cell.replaceChildren(...parts.map((part) => dress(element('span', ''), column, part)));
    } else if (cell.firstChild?.nodeType === Node.TEXT_NODE && !cell.firstElementChild) cell.firstChild.data = text;
    else cell.textContent = text;
    if (!first) return;
    cell.className = `cell ${column.kind} primary level-${Math.min(sheet.levels[row] + 1, 9)}`;
    cell.changed = '';
    const toggle = element('span', 'toggle');
    toggle.setAttribute('aria-hidden', 'true');
    toggle.textContent = tree.replace(/\d+/, '');
    cell.prepend(toggle);
  }

  /** The focused cell, if it is in sight. */
  active() {
    const row = this.at < 0 ? this.head.firstElementChild : this.pool[this.at - this.first];
    return row?.children[this.column] ?? null;
  }

  focus() {
    this.active()?.focus({ preventScroll: true });
  }

  /** Rows have moved: the focus stays with its row, and the row where it is seen. */
  keep(id) {
    const at = this.sheet.visible.indexOf(this.sheet.rowOf.get(id));
    if (at < 0 || at === this.at) return;
    this.root.scrollTop += (at - this.at) * this.height;
    this.at = at;
  }

  /** Goes to a cell; -1 is the head. */
  go(at, column = this.column, middle = false) {
    this.at = Math.max(-1, Math.min(this.sheet.visible.length - 1, at));
    this.column = Math.max(0, Math.min(this.columns.length, column));
    const { root, height } = this;
    const [top, room] = [this.at * height, root.clientHeight - this.head.offsetHeight];
    if (middle) root.scrollTop = top - room / 2;
    else if (this.at >= 0) root.scrollTop = Math.max(top + height - room, Math.min(root.scrollTop, top));
    if (this.column > 1) {
      const [[left, right], [, frozen]] = [this.edges(this.column - 1), this.edges(0)];
      const start = PHONE.matches ? frozen - NUMBER : frozen;
      root.scrollLeft = Math.max(right - root.clientWidth, Math.min(root.scrollLeft, left - start));
    }
    this.paint();
    const cell = this.active();
    if (!cell) return;
    this.reach(cell.parentElement, this.at);
    cell.focus({ preventScroll: true });
  }

  toggle(row) {
    const id = this.sheet.ids[row];
    if (!this.sheet.collapsed.delete(id)) this.sheet.collapsed.add(id);
    this.sheet.arrange();
    this.refresh();
  }

  sort(column, down = this.sheet.sort?.column === column) {
    this.sheet.sort = this.sheet.sort?.column === column && this.sheet.sort.down ? null : { column, down };
    this.sheet.arrange();
    this.layout();
    this.on.sorted();
  }

  edit(cell, column, row, typed) {
    if (row === undefined || !cell) return;
    if (!column || !this.on.edit) this.on.details(row);
    else if (column.readOnly) this.on.refuse(column);
    else this.on.edit(cell, column, row, typed);
  }

  key(event) {
    const { at, column, sheet } = this;
    if (event.target.closest('.editor') || event.target.matches('input') || event.isComposing) return;
    const page = Math.floor(this.root.clientHeight / this.height) - 1;
    const [row, shown] = [sheet.visible[at], this.columns[column - 1]];
    const tree = column === 1 && at >= 0 && sheet.isParent(row) && !sheet.kept;
    const ticks = shown?.kind === 'check' && this.on.edit;
    const edge = event.ctrlKey || event.metaKey;
    const keys = {
      ArrowDown: () => this.go(at + 1),
      ArrowUp: () => this.go(at - 1),
      ArrowRight: () => (tree && !sheet.open(row) ? this.toggle(row) : this.go(at, column + 1)),
      ArrowLeft: () => (tree && sheet.open(row) ? this.toggle(row) : this.go(at, column - 1)),
      PageDown: () => this.go(at + page),
      PageUp: () => this.go(Math.max(0, at - page)),
      Home: () => this.go(edge ? 0 : at, 0),
      End: () => this.go(edge ? Infinity : at, Infinity),
      Enter: () => (at < 0 ? shown && this.sort(shown) : this.edit(this.active(), shown, row)),
      Delete: () => this.type(''),
      Backspace: () => this.type(''),
      F2: () => at >= 0 && this.edit(this.active(), shown, row),
      ' ': () => row !== undefined && (ticks ? this.edit(this.active(), shown, row) : this.on.details(row)),
    };
    const wide = { ArrowRight: 24, ArrowLeft: -24 }[event.key];
    if (at < 0 && event.shiftKey && shown && wide) keys[event.key] = () => this.on.widen(shown, shown.width + wide);
    // With Alt, or AltGr, some keyboards write what others have keys for: “€”, “@”.
    const third = event.getModifierState('AltGraph') || (event.altKey && !/[a-z0-9]/i.test(event.key));
    const plain = (!edge && !event.altKey) || third;
    const typed = event.key.length === 1 && plain && event.key !== '/' && at >= 0 && shown && this.on.edit;
    if (edge && event.key === 'z' && !event.shiftKey && this.on.back) keys.z = this.on.back;
    const act = keys[event.key] ?? (typed ? () => this.edit(this.active(), shown, row, event.key) : null);
    if (!act) return;
    event.preventDefault();
    if (!this.active()) this.go(at, column);
    act();
  }

  /** Writes a text into the cell at the cursor, as if it had been typed over it. */
  type(text) {
    const [row, column] = [this.sheet.visible[this.at], this.columns[this.column - 1]];
    if (row === undefined || !column || !this.on.type) return;
    if (column.readOnly) this.on.refuse(column);
    else this.on.type(column, row, text);
  }

  /** The cell at the cursor goes to the clipboard as it is shown. */
  copy(event) {
    const [row, column] = [this.sheet.visible[this.at], this.columns[this.column - 1]];
    if (event.target.matches('input, textarea') || row === undefined || !column || String(getSelection())) return;
    event.clipboardData.setData('text/plain', textOf(this.sheet.entry(column, row)));
    event.preventDefault();
  }

  paste(event) {
    if (event.target.matches('input, textarea') || !this.on.type) return;
    event.preventDefault();
    const text = event.clipboardData.getData('text/plain').replace(/\r?\n$/, '');
    if (/[\t\n]/.test(text)) this.on.several();
    else this.type(text);
  }

  pointed(event, act) {
    const cell = event.target.closest('.cell');
    const row = cell?.parentElement;
    if (row?.at === undefined || event.target.closest('a, .editor')) return;
    act(cell, this.columns[[...row.children].indexOf(cell) - 1], row.row, row.at);
  }

  click(event) {
    const head = event.target.closest('.head .cell');
    if (head && !event.target.matches('.grip, input')) {
      const column = this.columns[[...head.parentElement.children].indexOf(head) - 1];
      if (column) this.sort(column);
      return;
    }
    this.touched = event.pointerType === 'touch';
    this.pointed(event, (cell, column, row, at) => {
      // Fingers press once more on the cell that they are at.
      const index = this.columns.indexOf(column) + 1;
      const again = at === this.at && index === this.column && column && !event.target.matches('.toggle, a');
      if (again && this.touched) return this.edit(cell, column, row);
      this.go(at, index);
      if (event.target.matches('.toggle') && this.sheet.isParent(row)) this.toggle(row);
      else if (!column) this.on.details(row);
    });
  }
}
